"""What loads a format and trains on it: in the manifest, in the docs, and right as a program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from corpora import merge_sample
from documents import blocks, read

from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import PrepareRequest
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
