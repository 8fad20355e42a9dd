"""The supervisor of the local service: what dies comes back, what is stopped is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from web.local.processes import Program, Supervisor

# Takes SIGTERM as a reason to write down when it ended.
POLITE = 'trap \'echo "$0" >> "$1"; exit 0\' TERM; echo up; while :; do sleep 0.02; done'
DEAF = "trap '' TERM; echo up; while :; do sleep 0.02; done"


def until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def shell(name: str, script: str, *arguments: str, grace: float = 10) -> Program:
    return Program(name, ("/bin/sh", "-c", script, name, *arguments), grace=grace)


def children(name: str) -> list[psutil.Process]:
    """Give the processes that this one has started to run a program of `shell`.

    Not those below them: a shell that is about to become `sleep` looks like the shell.
    """
    found = []
    for process in psutil.Process().children():
        try:
            if process.cmdline()[:2] == ["/bin/sh", "-c"] and name in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


@contextmanager
def supervised(tmp_path: Path, *stages: list[Program]) -> Iterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    with Supervisor(stages, tmp_path, said.append) as supervisor:
        yield supervisor, said


def test_what_dies_is_started_again_and_said(tmp_path: Path) -> None:
    with supervised(tmp_path, [shell("one", DEAF, grace=0)]) as (supervisor, said):
        until(lambda: children("one"))
        (first,) = children("one")
        first.kill()
        log = supervisor.log(shell("one", DEAF))
        until(lambda: log.read_text() == "up\nup\n")
    assert said == [f"one ended (killed by signal 9); it starts again in 0.5 s. Log: {log}"]


def test_what_dies_again_and_again_is_left_alone_for_longer_each_time(tmp_path: Path) -> None:
    with supervised(tmp_path, [shell("one", "exit 3")]) as (supervisor, said):
        until(lambda: supervisor.failing(3))
        assert [program.name for program in supervisor.failing(3)] == ["one"]
    assert [line.split("; ")[1].split(". ")[0] for line in said] == [
        "it starts again in 0.5 s",
        "it starts again in 1 s",
        "it starts again in 2 s",
    ]
    assert "exit status 3" in said[0]


def test_a_program_that_is_not_there_is_said_too(tmp_path: Path) -> None:
    missing = Program("gone", ("/bin/true",), folder=tmp_path / "nowhere")
    with supervised(tmp_path, [missing]) as (_supervisor, said):
        until(lambda: said)
    assert "No such file or directory" in said[0]


def test_later_stages_are_stopped_first(tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    stages = [[shell(name, POLITE, str(ends))] for name in ("redis", "worker", "web")]
    with supervised(tmp_path, *stages) as (supervisor, said):
        until(lambda: all(supervisor.log(each[0]).exists() for each in stages))
        until(lambda: all(supervisor.log(each[0]).read_text() for each in stages))
    assert ends.read_text().split() == ["web", "worker", "redis"]
    assert not said


def test_what_does_not_stop_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, [shell("deaf", DEAF, grace=0.3)]) as (supervisor, _said):
        until(lambda: supervisor.log(shell("deaf", DEAF)).exists())
        until(lambda: supervisor.log(shell("deaf", DEAF)).read_text())
        began = time.monotonic()
    assert 0.3 <= time.monotonic() - began < 3
    assert not children("deaf")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_of_a_program_outlives_it(number: int, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! >> {pids}; wait"
    with supervised(tmp_path, [shell("one", script)]):
        until(lambda: pids.exists() and pids.read_text())
        grandchild = int(pids.read_text().split()[0])
        (child,) = children("one")
        child.send_signal(number)
        until(lambda: not psutil.pid_exists(grandchild))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this")
def test_programs_die_with_the_supervisor(tmp_path: Path) -> None:
    code = f"""
import pathlib, time
from web.local.processes import Program, Supervisor
program = Program("one", ("/bin/sh", "-c", "echo $$; exec sleep 60"))
with Supervisor([[program]], pathlib.Path({str(tmp_path)!r}), print):
    time.sleep(60)
"""
    log = tmp_path / "one.log"
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as process:
        until(lambda: log.exists() and log.read_text().endswith("\n"))
        pid = int(log.read_text())
        assert os.getsid(pid) == pid
        process.kill()
        until(lambda: not psutil.pid_exists(pid), seconds=2)


def test_a_long_log_is_set_aside(tmp_path: Path) -> None:
    program = shell("one", DEAF, grace=0)
    log = tmp_path / "one.log"
    set_aside = tmp_path / "one.log.1"
    log.write_bytes(b"x" * 5_000_001)
    with supervised(tmp_path, [program]):
        # Between its rename and the program's start there is no log at all.
        until(lambda: set_aside.exists() and log.exists())
        until(lambda: log.read_text() == "up\n")
    assert set_aside.stat().st_size == 5_000_001
