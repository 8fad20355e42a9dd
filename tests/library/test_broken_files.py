"""Broken files and bombs through a whole merge: a clear error or counted drops, nothing torn.

Forty files by seed 1; `MINDCORPUS_SOAK_FILES` takes more, `MINDCORPUS_SOAK_SEED` another seed.
`make soak` takes 900.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest  # noqa: TC002 - as everywhere in tests
from broken_files import write_bombs, write_broken

from mindcorpus.errors import DataError, FetchError
from mindcorpus.storage.row_counts import is_accounted_for

FILES = int(os.environ.get("MINDCORPUS_SOAK_FILES", "40"))
SEED = int(os.environ.get("MINDCORPUS_SOAK_SEED", "1"))
MIB = 1 << 20
ENTRY = """
[[source]]
name = "own"
path = "nowhere"
type = "own"
options = { input = "q", response = "a", tag_columns = [{ column = "tags" }] }
licence = { id = "MIT", commercial = "yes", terms = "MIT" }
"""


def merged(tmp_path: Path, paths: list[Path]) -> Iterator[dict[str, Any]]:
    """Merge each file; give what became of it, with what was said and published."""
    catalog = tmp_path / "own.toml"
    catalog.write_text(ENTRY)
    folder = tmp_path / "merged"
    folder.mkdir()
    script = Path(__file__).with_name("merge_each.py")
    command = [sys.executable, str(script), str(catalog), str(folder), *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            told = json.loads(line)
            yield {**told, "said": Path(told["log"]).read_text("utf-8", "replace")}
    assert running.returncode == 0


def check(told: dict[str, Any], most_memory: int, most_written: int) -> str:
    """Hold that one file's end was a proper one; give which."""
    code, said, data = told["code"], told["said"], Path(told["data"])
    assert "Traceback" not in said, told
    assert told["memory"] < most_memory, told
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    assert size < most_written, (size, told)
    published = sorted(data.glob("merged_mental_health_dataset.json"))
    if code:
        assert code in (DataError.exit_code, FetchError.exit_code), told
        assert "error: " in said, told
        assert "hint: " in said, told
        assert not published, told
        assert not list(data.glob("artifacts/*")), told
        return "error"
    assert told["verified"] == 0, told
    manifest = json.loads((data / "merged_mental_health_dataset.manifest.json").read_text())
    (source,) = manifest["sources"]
    assert is_accounted_for(source), told
    records = json.loads(published[0].read_text())
    assert len(records) == source["kept"] == manifest["rows"], told
    return "dropped" if source["dropped"] else "whole"


def test_broken_files_end_in_a_clear_error_or_counted_drops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "files").mkdir()
    paths = write_broken(tmp_path / "files", FILES, SEED)
    ends: Counter[str] = Counter()
    memory = 0
    wrong: list[str] = []
    for told in merged(tmp_path, paths):
        memory = max(memory, told["memory"])
        try:
            end = check(told, 1200 * MIB, 60 * MIB)
        except AssertionError as error:
            wrong.append(f"{told['name']}: {error}")
            continue
        ends[f"{Path(told['name']).suffix} {end}"] += 1
        shutil.rmtree(told["data"])
    with capsys.disabled():
        shown = f"seed {SEED}, {dict(sorted(ends.items()))}, at most {memory // MIB} MiB"
        print(f"\nbroken files: {shown}")  # noqa: T201 - the seed repeats it
    assert not wrong, (SEED, wrong)
    assert sum(ends.values()) == FILES
    assert sum(ends[f".{kind} error"] for kind in ("json", "csv", "parquet")) >= FILES / 10
    assert sum(number for end, number in ends.items() if "error" not in end) >= FILES / 10


def test_bombs_end_in_a_clear_error_within_memory_and_disk(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    paths = write_bombs(tmp_path / "files")
    for told in merged(tmp_path, paths):
        size = Path(told["name"]).stat().st_size
        assert size < 500_000, told["name"]
        assert check(told, 1700 * MIB, 60 * MIB) == "error"
        assert "budget of 256 MiB" in told["said"] or "MiB of memory" in told["said"], told
