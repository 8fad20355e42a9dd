"""What loads a format and trains on it: in the manifest, in the docs, and right as a program."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from corpora import merge_sample
from documents import blocks, read

from mindcorpus.formats.instructions import snippet_of, use_of_format
from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.offer import offers
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store

PAGE = read("docs/formats.md")
SHELLS = ("llama-factory", "axolotl", "ms-swift", "mlx")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snippets")
    merge_sample(folder)
    prepare(PrepareRequest(formats=tuple(FORMATS)), Settings(data_dir=folder, workers=1))
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_each_is_a_program_of_paths_that_are_there_and_stands_in_the_docs(
    name: str, data_dir: Path
) -> None:
    snippet: str = Store(data_dir).manifest(name)["snippet"]
    assert snippet in blocks(PAGE, "bash" if name in SHELLS else "python")
    if name in SHELLS:
        subprocess.run(["bash", "-n", "-c", snippet], check=True)
    else:
        compile(snippet, name, "exec")
    paths = [word for word in re.split(r"[\s\"'*]+", snippet) if word.startswith("mental_health_")]
    assert paths
    for path in paths:
        parts = ("train", "validation") if "{part}" in path else ("",)
        assert all((data_dir / path.replace("{part}", part)).exists() for part in parts), path


@pytest.mark.parametrize("name", FORMATS)
def test_any_path_is_one_word_of_the_program(name: str) -> None:
    folder = """/data/it's "my" $HOME {x} \\ folder"""
    snippet = snippet_of(FORMATS[name], folder, {})
    if name in SHELLS:
        words = shlex.split(snippet.replace("\\\n", " "), comments=True)
    else:
        nodes = ast.walk(ast.parse(snippet))
        words = [str(each.value) for each in nodes if isinstance(each, ast.Constant)]
        # Storages are copied to by a command that a remark tells.
        remark = re.match("# First: (.*)", snippet)
        words += shlex.split(remark[1]) if remark else []
    assert any(word.startswith(folder) for word in words)
    assert folder in use_of_format(FORMATS["mlx"], folder, {}).replace("'\"'\"'", "'")


def test_a_part_without_a_record_is_said_where_examples_name_it(tmp_path: Path) -> None:
    merge_sample(tmp_path)
    asked = PrepareRequest(
        formats=("openai", "chat", "ms-swift"), sources=("RedditESS",), caps={"RedditESS": 1}
    )
    made = prepare(asked, Settings(data_dir=tmp_path, workers=1))
    (empty,) = (
        part
        for part in ("train", "validation")
        if not (made["chat"].path / f"{part}.jsonl").exists()
    )
    chat, folder = (made[name].manifest for name in ("chat", "ms-swift"))
    one, each = f"the {empty} part", f"the {empty} part of sft and the {empty} part of dpo"
    assert chat["snippet"].endswith(f"()\n# No record is in {one}: leave out what names it.\n")
    assert f"\n# No record is in {each}: leave out what names it.\n" in folder["snippet"]
    subprocess.run(["bash", "-n", "-c", folder["snippet"]], check=True)
    assert use_of_format(FORMATS["chat"], "there", chat).endswith(f"; no record is in {one}")
    # One file of all parts has none that could be missing.
    assert "No record" not in made["openai"].manifest["snippet"]
    assert chat["snippet"] in (made["chat"].path / "README.md").read_text("utf-8")
    (offer,) = (each for each in offers(Store(tmp_path), root=tmp_path) if each.name == "chat")
    assert f"\n# No record is in {one}: " in offer.snippet
