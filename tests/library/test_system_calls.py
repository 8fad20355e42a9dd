"""Where a system lacks calls that Linux has, all is made as it is here, to the byte."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bare_system import CALLS, lay_down
from command_line import environment, run

from mindcorpus import system_calls

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

ROOT = Path(system_calls.__file__).parents[1]


def contents(folder: Path) -> dict[str, bytes]:
    """Give the files of all that was published, by their paths."""
    files = (path for path in (folder / "artifacts").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_merge_and_its_formats_are_the_same_without_them(sample: Made, tmp_path: Path) -> None:
    path = f"{lay_down(tmp_path / 'lacking')}{os.pathsep}{ROOT}"
    for command in (("merge", "--sample"), ("prepare", "all")):
        done = run(*command, cwd=tmp_path, PYTHONPATH=path, MINDCORPUS_WORKERS="2")
        assert done.code == 0, done.err
    made = contents(tmp_path / "datasets")
    assert len(made) > 20
    assert made == contents(sample.data_dir)


def test_the_test_takes_them_away(tmp_path: Path) -> None:
    script = (
        "import ctypes, os, resource\n"
        f"print([hasattr(os, name) for name in {CALLS}], hasattr(resource, 'RLIMIT_AS'),"
        " hasattr(ctypes.CDLL(None), 'prctl'))\n"
        "open('/proc/self/status')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(PYTHONPATH=str(lay_down(tmp_path / "lacking"))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == f"{[False] * len(CALLS)} False False"
    assert "FileNotFoundError: /proc/self/status" in done.stderr


@pytest.mark.parametrize("there", [True, False], ids=["with preadv", "without"])
def test_bytes_are_read_at_a_place(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not there:
        monkeypatch.delattr(os, "preadv")
    (tmp_path / "file").write_bytes(b"0123456789")
    buffer = bytearray(b"....")
    with (tmp_path / "file").open("rb") as file:
        assert system_calls.read_at(file.fileno(), memoryview(buffer), 3) == 4
        assert buffer == b"3456"
        assert system_calls.read_at(file.fileno(), memoryview(buffer), 8) == 2
        assert buffer == b"8956"
        assert system_calls.read_at(file.fileno(), memoryview(buffer), 10) == 0
        assert file.tell() == 0


@pytest.mark.parametrize("there", [True, False], ids=["with posix_fallocate", "without"])
def test_a_file_is_given_its_size(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not there:
        monkeypatch.delattr(os, "posix_fallocate")
    with (tmp_path / "file").open("wb") as file:
        system_calls.claim(file.fileno(), 5000)
    assert (tmp_path / "file").read_bytes() == bytes(5000)


@pytest.mark.parametrize("there", [True, False], ids=["with proc", "without"])
def test_what_is_open_is_opened_again(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not there:
        monkeypatch.setattr(system_calls, "_DESCRIPTORS", tmp_path / "proc")
    (tmp_path / "file").write_bytes(b"here")
    with (tmp_path / "file").open("rb") as file:
        path = system_calls.path_of(file.fileno())
        assert path.parent == Path("/proc/self/fd" if there else "/dev/fd")
        assert path.read_bytes() == b"here"


@pytest.mark.parametrize("there", [True, False], ids=["with waitid", "without"])
def test_a_child_that_ended_is_seen(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not there:
        monkeypatch.delattr(os, "waitid")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not system_calls.has_ended(child)
    child.communicate(b"\n")
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    while not system_calls.has_ended(child):
        pass
    assert child.wait() == 3


@pytest.mark.parametrize("there", [True, False], ids=["bounded", "not bounded"])
def test_memory_is_bounded_where_it_can_be(there: bool) -> None:
    hide = "" if there else "del resource.RLIMIT_AS; "
    script = (
        f"import resource; {hide}from mindcorpus.system_calls import bound_memory\n"
        "bound_memory(256 << 20); bytearray(512 << 20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=False
    )
    assert (b"MemoryError" in done.stderr, done.returncode) == (there, int(there))
    assert hasattr(resource, "RLIMIT_AS")


def test_cores_are_counted_without_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert system_calls.cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert system_calls.cores() == os.cpu_count()
