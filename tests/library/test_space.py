"""What is kept beside the current builds yields: to the settings, in order, and never in use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from command_line import MAIN, run
from corpora import digests, merge_sample, nothing_left, python

from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import merge
from mindcorpus.merging.part_cache import PartCache
from mindcorpus.settings import Settings
from mindcorpus.storage.space import parts_of
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

HOLD = """
import sys, time
from pathlib import Path
from mindcorpus.storage.store import Store

store = Store(sys.argv[1])
with store.reading("corpus") as folder, store.using(sys.argv[2:]):
    print(folder.name, flush=True)
    time.sleep(600)
"""
DAY = 86400.0


def part(data_dir: Path, digit: str, size: int, days: float) -> Path:
    """Make a part of some bytes that was used some days ago."""
    folder = data_dir / "parts" / (digit * 32)
    folder.mkdir(parents=True)
    (folder / "part.arrow").write_bytes(bytes(size))
    os.utime(folder, (time.time() - days * DAY,) * 2)
    return folder


def share_of(data_dir: Path, size: int) -> str:
    """Give the share of the disk that is so many bytes."""
    return repr((size + 0.5) / shutil.disk_usage(data_dir).total)


def cleaned(data_dir: Path, *words: str, **settings: str) -> Sequence[str]:
    given = {f"MINDCORPUS_{name.upper()}": text for name, text in settings.items()}
    ran = run(
        "clean", *words, "--json", "--data-dir", data_dir, cwd=data_dir.parent, start=MAIN, **given
    )
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert all(each["why"] for each in told["removed"])
    return [each["path"] for each in told["removed"]]


def hold(tmp_path: Path, data_dir: Path, *parts: str) -> subprocess.Popen[bytes]:
    """Start a process that reads the corpus and uses parts; returns when it does."""
    script = tmp_path / "hold.py"
    script.write_text(HOLD)
    holder = python(script, data_dir, *parts, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip().decode() == os.readlink(data_dir / "artifacts/corpus")
    return holder


def test_builds_and_parts_yield_longest_unused_first_and_never_in_use(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    settings = Settings(data_dir=data_dir, workers=1, keep_builds=5)
    sources = ("TRACE", "MentalChat16K")
    for name in sources:
        merge(MergeRequest.of(sample=True, sources=(name,), force=True), settings)
    old, used, new = (
        part(data_dir, digit, 300_000, days) for digit, days in (("a", 2.9), ("b", 2), ("c", 1))
    )
    holder = hold(tmp_path, data_dir, used.name)
    try:
        merge(MergeRequest.of(sample=True, sources=("TRACE",), force=True), settings)
        others = data_dir / "parts" / "of mine"
        others.mkdir()
        left = data_dir / "staging/corpus-0123456789ab"
        left.mkdir()
        before = digests(data_dir)
        given = {"keep_builds": "5", "disk_share": share_of(data_dir, 0)}
        # Room for nothing: all that is not in use goes, the longest unused first.
        named = cleaned(data_dir, "--dry-run", **given)
        assert digests(data_dir) == before
        assert named[0] == f"staging/{left.name}"
        assert named[1:3] == [f"parts/{old.name}", f"parts/{new.name}"]
        assert f"parts/{used.name}" not in named
        # The build that the other process reads was replaced meanwhile: it is not named either.
        read = Store(data_dir).pins.held() - {used.name}
        assert not [name for name in named if name.removeprefix("artifacts/") in read]
        # Room for all but the oldest.
        rest = sum(each.bytes for each in parts_of(Store(data_dir)) if each.path != old) + sum(
            size.stat().st_size
            for build in Store(data_dir).builds.kept("corpus")
            for size in build.folder.rglob("*")
            if size.is_file()
        )
        gone = cleaned(data_dir, keep_builds="5", disk_share=share_of(data_dir, rest))
        assert gone == [f"staging/{left.name}", f"parts/{old.name}"]
        assert cleaned(data_dir, **given)[0] == f"parts/{new.name}"
        assert used.is_dir()
        assert others.is_dir()
        assert {build.id for build in Store(data_dir).builds.kept("corpus")} <= read
        assert PartCache(Store(data_dir)).forget_unused(0.1) == 0
    finally:
        # However it ends, its pins end with it.
        holder.kill()
        holder.communicate()
    assert f"parts/{used.name}" in cleaned(data_dir, **given)
    assert not used.exists()
    assert Store(data_dir).corpus_exists()
    shutil.rmtree(data_dir / "parts")
    nothing_left(data_dir)


def test_a_merge_keeps_to_the_share_and_status_tells_what_takes_the_space(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    merge_sample(data_dir, sources=("TRACE",))
    old = part(data_dir, "a", 1000, 1)
    merge_sample(data_dir, sources=("MentalChat16K",), force=True)
    assert len(Store(data_dir).builds.kept("corpus")) == 1
    assert old.is_dir()
    shown = run("status", "--data-dir", data_dir, cwd=tmp_path).out
    for words in ("On the disk", "current builds", "kept builds", "parts of sources"):
        assert words in shown
    settings = Settings(data_dir=data_dir, workers=1, disk_share=0)
    merge(MergeRequest.of(sample=True, sources=("TRACE",), force=True), settings)
    assert not Store(data_dir).builds.kept("corpus")
    assert not old.exists()
    assert [*cleaned(tmp_path / "nothing here")] == []
    assert not (tmp_path / "nothing here").exists()
