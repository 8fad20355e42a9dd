"""What loads a format and trains on it: in the manifest, in the docs, and right as a program."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from corpora import merge_sample
from documents import blocks, read

from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings

PAGE = read("docs/formats.md")
SHELLS = ("llama-factory", "axolotl", "ms-swift", "mlx")


@pytest.fixture(scope="module")
def snippets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    data_dir = tmp_path_factory.mktemp("snippets")
    merge_sample(data_dir)
    settings = Settings(data_dir=data_dir, workers=1)
    made = prepare(PrepareRequest(formats=tuple(FORMATS)), settings)
    return {name: each.manifest["snippet"] for name, each in made.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_each_is_a_program_and_stands_in_the_docs(name: str, snippets: dict[str, str]) -> None:
    snippet = snippets[name]
    assert FORMATS[name].path in snippet
    assert snippet in blocks(PAGE, "bash" if name in SHELLS else "python")
    if name in SHELLS:
        subprocess.run(["bash", "-n", "-c", snippet], check=True)
    else:
        compile(snippet, name, "exec")


def test_each_names_files_that_are_there(snippets: dict[str, str], tmp_path: Path) -> None:
    merge_sample(tmp_path)
    settings = Settings(data_dir=tmp_path, workers=1)
    prepare(PrepareRequest(formats=tuple(FORMATS)), settings)
    for snippet in snippets.values():
        for word in snippet.replace('"', " ").replace("'", " ").replace("*.jsonl", " ").split():
            if word.startswith("mental_health_") and "{" not in word:
                assert (tmp_path / word).exists(), word
