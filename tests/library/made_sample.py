"""The sample, merged and prepared once a session: tests read it and change nothing.

A plugin: a test module asks for it with `pytest_plugins = ("made_sample",)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from corpora import copy_of, merge_sample

from mindcorpus.job_requests import PrepareRequest
from mindcorpus.merging.merge import MergeResult
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import Settings


@dataclass(frozen=True)
class Made:
    """A data folder and what the library said of it."""

    data_dir: Path
    merged: MergeResult
    prepared: dict[str, PrepareResult]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Made:
    data_dir = tmp_path_factory.mktemp("sample") / "data"
    merged = merge_sample(data_dir, workers=2)
    settings = Settings(data_dir=data_dir, workers=2)
    return Made(data_dir, merged, prepare(PrepareRequest(), settings))


@pytest.fixture
def copied(sample: Made, tmp_path: Path) -> Path:
    """A copy of the sample's data folder, to be changed."""
    return copy_of(sample.data_dir, tmp_path / "copied")
