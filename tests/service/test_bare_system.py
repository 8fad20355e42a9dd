"""The service where a system lacks calls that Linux has: it starts, works, and stops."""

from __future__ import annotations

import os
from pathlib import Path

from bare_system import lay_down
from local_service import ROOT, LocalService

from mindcorpus.verify import verify


def test_all_of_it_starts_makes_corpus_and_formats_and_ends(tmp_path: Path) -> None:
    path = f"{lay_down(tmp_path / 'lacking')}{os.pathsep}{ROOT}"
    with LocalService(tmp_path / "home", "--once", PYTHONPATH=path) as once:
        assert once.end() == 0, once.said
        assert not once.started
    assert verify(tmp_path / "home/datasets") == []
    assert (tmp_path / "home/datasets/mental_health_huggingface").is_dir()
