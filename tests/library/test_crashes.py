"""Crashes: real processes, real signals, real full disks. What was published stays whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from corpora import NAMES, digests, inflate, merge_sample, nothing_left, published, python
from sample_numbers import OUTCOMES

from mindcorpus.errors import (
    NoCorpusError,
    WorkerLostError,
)
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.merge import merge
from mindcorpus.preparing.prepare import prepare
from mindcorpus.progress import Progress
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample thirty times over, some 20 MB, and its paths as JSON."""
    folder = tmp_path_factory.mktemp("raw")
    (folder / "paths.json").write_text(json.dumps(inflate(folder, 30)))
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with a small corpus, and formats of it."""
    merge_sample(tmp_path / "data", sources=("TRACE",))
    prepare(PrepareRequest(), Settings(data_dir=tmp_path / "data", workers=1))
    return tmp_path / "data"


def all_of(session: int) -> list[psutil.Process]:
    """Give the living processes of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found


# The merging process dies

MERGE = """
import json, sys
from pathlib import Path
from mindcorpus import Settings, merge_all_datasets

def report(progress):
    print(progress.stage, flush=True)

paths = json.loads((Path(sys.argv[2]) / "paths.json").read_text())
settings = Settings(data_dir=sys.argv[1], workers=int(sys.argv[3]))
merge_all_datasets(paths=paths, settings=settings, force=True, report=report)
"""


def start(tmp_path: Path, data_dir: Path, raw: Path, workers: int) -> subprocess.Popen[bytes]:
    script = tmp_path / "merge.py"
    script.write_text(MERGE)
    process = python(
        script, data_dir, raw, workers, stdout=-1, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout
    return process


def reach(process: subprocess.Popen[bytes], stage: str) -> None:
    """Wait until a process told of a stage."""
    assert process.stdout
    for line in process.stdout:
        if line.decode().strip() == stage:
            return
    raise AssertionError(f"ended before {stage}")


@pytest.mark.parametrize(
    ("stage", "after", "workers"),
    [
        ("read", 0.0, 2),
        ("read", 0.3, 1),
        ("read", 0.2, 3),
        ("deduplicate", 0.0, 2),
        ("write", 0.0, 1),
        ("write", 0.05, 2),
        ("write", 0.15, 3),
        ("publish", 0.0, 2),
        ("publish", 0.01, 2),
        ("publish", 0.03, 2),
    ],
)
@pytest.mark.parametrize("how", [signal.SIGKILL])
def test_a_killed_merge_leaves_the_old_corpus_or_the_new_one_and_no_process(
    how: int, stage: str, after: float, workers: int, data_dir: Path, raw: Path, tmp_path: Path
) -> None:
    process = start(tmp_path, data_dir, raw, workers)
    reach(process, stage)
    time.sleep(after)
    os.kill(process.pid, how)
    process.communicate()
    killed = time.monotonic()
    while all_of(process.pid):
        assert time.monotonic() - killed < 2
        time.sleep(0.02)
    sources = published(data_dir)
    assert sources == ["TRACE"] or (stage == "publish" and sources == [*NAMES])
    merge_sample(data_dir, sources=("Psych-101",), force=True)
    assert published(data_dir) == ["Psych-101"]
    nothing_left(data_dir)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_ends_all_of_it(
    how: int, data_dir: Path, raw: Path, tmp_path: Path
) -> None:
    process = start(tmp_path, data_dir, raw, 2)
    reach(process, "write")
    os.killpg(process.pid, how)
    process.communicate()
    assert process.returncode != 0
    killed = time.monotonic()
    while all_of(process.pid):
        assert time.monotonic() - killed < 2
        time.sleep(0.02)
    if how == signal.SIGINT:  # a KeyboardInterrupt, which cleans up
        nothing_left(data_dir)
    assert published(data_dir) == ["TRACE"]
    merge_sample(data_dir, sources=("Psych-101",), force=True)
    nothing_left(data_dir)


WATCHED = {"os.rename", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "open", "shutil.rmtree"}


def killed_at(number: int, work: Callable[[Callable[[Progress], None]], object]) -> bool:
    """Do work in a process that kills itself at a file system call, counted from `publish` on.

    Tells whether it got that far.
    """
    child = os.fork()
    if not child:
        try:
            _die_at(number, work)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _die_at(number: int, work: Callable[[Callable[[Progress], None]], object]) -> None:
    counted = -1

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal counted
        if counted >= 0 and event in WATCHED:
            if counted == number:
                os.kill(os.getpid(), signal.SIGKILL)
            counted += 1

    def report(progress: Progress) -> None:
        nonlocal counted
        if progress.stage == "publish":
            counted = 0

    sys.addaudithook(hook)
    work(report)


def test_a_merge_may_die_at_any_call_of_publishing(data_dir: Path) -> None:
    def work(report: Callable[[Progress], None]) -> object:
        return merge_sample(data_dir, 1, report, sources=("Psych-101",), force=True)

    seen: set[str] = set()
    for number in range(1000):
        if not killed_at(number, work):
            break
        seen.add(*published(data_dir))
        merge_sample(data_dir, sources=("TRACE",), force=True)
        assert published(data_dir) == ["TRACE"]
        nothing_left(data_dir)
    assert number > 10
    assert seen == {"TRACE", "Psych-101"}


def test_a_first_merge_may_die_at_any_call_of_publishing(tmp_path: Path) -> None:
    def work(report: Callable[[Progress], None]) -> object:
        return merge_sample(folder, 1, report, sources=("TRACE",))

    for number in range(0, 1000, 2):
        folder = tmp_path / f"data {number}"
        if not killed_at(number, work):
            break
        if Store(folder).corpus_exists():
            assert published(folder) == ["TRACE"]
        else:
            with pytest.raises(NoCorpusError):
                Store(folder).manifest("corpus")
        merge_sample(folder, sources=("TRACE",), force=True)
        assert published(folder) == ["TRACE"]
        nothing_left(folder)
    assert number > 10


def test_a_prepare_may_die_at_any_call_of_publishing(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, workers=1)

    def work(report: Callable[[Progress], None]) -> object:
        return prepare(PrepareRequest(caps={"TRACE": 20}, force=True), settings, report)

    for number in range(0, 1000, 3):
        if not killed_at(number, work):
            break
        assert published(data_dir) == ["TRACE"]
        assert {entry["rows"] for entry in Store(data_dir).status().values()} <= {
            OUTCOMES["TRACE"].kept,
            20,
        }
        prepare(PrepareRequest(force=True), settings)
        assert verify(data_dir) == []
        nothing_left(data_dir)
    assert number > 20


# A worker dies


@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_worker_that_is_killed_ends_the_merge_and_nothing_else(
    stage: str, data_dir: Path, raw: Path
) -> None:
    killed: list[int] = []

    def report(progress: Progress) -> None:
        # A few small files are looked at in this process, before there are workers.
        if progress.stage == stage and not killed and (found := psutil.Process().children()):
            killed.append(found[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    paths = json.loads((raw / "paths.json").read_text())
    settings = Settings(data_dir=data_dir, workers=2)
    before = digests(data_dir)
    with pytest.raises(WorkerLostError, match="signal 9"):
        merge(MergeRequest(paths=paths, force=True), settings, report)
    assert killed
    assert digests(data_dir) == before
    nothing_left(data_dir)
    assert psutil.Process().children() == []
