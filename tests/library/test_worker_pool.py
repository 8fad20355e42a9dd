"""Worker processes: what they give back, how they are stopped, and that none is ever left."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from clock import Clock
from corpora import python

from mindcorpus.errors import CancelledError, DataError, StorageError, WorkerLostError
from mindcorpus.execution import worker_pool
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.progress import Cancellation

Tick = Callable[[int, int], None]
Reports = list[tuple[int, int, int]]


def square(number: int, tick: Tick) -> int:
    tick(1, number)
    time.sleep(0.02 * (number % 3))
    return number * number


def many_ticks(count: int, tick: Tick) -> None:
    for _ in range(count):
        tick(1, 10)


def refuse(number: int, _tick: Tick) -> int:
    if number % 2:
        raise DataError("not odd", file="a file", row=number, hint="Count on.")
    return number


def fail(number: int, _tick: Tick) -> int:
    if number == 3:
        raise KeyError("three")
    return number


def work_long(folder: Path, tick: Tick) -> None:
    """Say who is at work, and go on for half a minute."""
    (folder / f"{os.getpid()}").touch()
    for _ in range(3000):
        time.sleep(0.01)
        tick(1, 1)


def die(how: int, tick: Tick) -> None:
    tick(1, 1)
    os.kill(os.getpid(), how)
    time.sleep(10)


def leave(code: int, _tick: Tick) -> None:
    os._exit(code)


def who(_argument: None, _tick: Tick) -> tuple[int, Any]:
    return os.getpid(), signal.getsignal(signal.SIGINT)


def large(size: int, _tick: Tick) -> bytes:
    return bytes(size)


def run(
    workers: int, tasks: list[Task], cancel: Cancellation | None = None
) -> tuple[list[Any], Reports]:
    reports: Reports = []
    heard = reports.append
    results = WorkerPool(workers).run(tasks, lambda *each: heard(each), cancel or Cancellation())
    return results, reports


def children() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Any:
    before = children()
    yield
    assert children() == before
    # No zombies either: each was waited for.
    assert [child for child in psutil.Process().children() if child not in before] == []


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    results, reports = run(workers, [Task(square, number) for number in range(12)])
    assert results == [number * number for number in range(12)]
    for number in range(12):
        mine = [heard for heard in reports if heard[0] == number]
        assert (sum(rows for _, rows, _ in mine), sum(size for *_, size in mine)) == (1, number)


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_adds_up(workers: int) -> None:
    _, reports = run(workers, [Task(many_ticks, 20_000), Task(many_ticks, 5)])
    assert sum(rows for at, rows, _ in reports if at == 0) == 20_000
    assert sum(size for at, _, size in reports if at == 1) == 50


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_comes_ten_times_a_second(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # A tick every 1/128 s, of which 13 make a tenth of a second; workers are forked with the clock.
    monkeypatch.setattr(worker_pool, "time", Clock(1 / 128))
    _, reports = run(workers, [Task(many_ticks, 1000)])
    assert reports == [(0, rows, rows * 10) for rows in (1, *[13] * 76, 11)]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_tasks_are_no_results(workers: int) -> None:
    assert run(workers, [])[0] == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crew_runs_again_and_again(workers: int) -> None:
    pool = WorkerPool(workers)
    for _ in range(3):
        results = pool.run([Task(square, 2), Task(square, 3)], lambda *_: None, Cancellation())
        assert results == [4, 9]


@pytest.mark.parametrize("workers", [1, 2])
def test_our_errors_stand_in_their_place_and_the_others_go_on(workers: int) -> None:
    results, _ = run(workers, [Task(refuse, number) for number in range(6)])
    assert results[::2] == [0, 2, 4]
    for number, error in zip((1, 3, 5), results[1::2], strict=True):
        assert isinstance(error, DataError)
        assert (error.title, error.file, error.row, error.hint) == (
            "not odd",
            "a file",
            number,
            "Count on.",
        )


@pytest.mark.parametrize("workers", [1, 2])
def test_other_errors_are_raised_as_if_they_had_happened_here(workers: int) -> None:
    with pytest.raises(KeyError, match="three") as caught:
        run(workers, [Task(fail, number) for number in range(6)])
    if workers > 1:
        assert caught.value.__notes__ == ["in a worker process"]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_ended_well_is_told_once(workers: int) -> None:
    ended: list[tuple[int, Any]] = []
    tasks = [Task(refuse, number) for number in range(6)]
    results = WorkerPool(workers).run(
        tasks, lambda *_: None, Cancellation(), lambda *told: ended.append(told)
    )
    assert sorted(ended) == [(at, results[at]) for at in (0, 2, 4)]


def test_one_worker_is_the_caller_s_own_process_and_more_are_others() -> None:
    (mine,), _ = run(1, [Task(who, None)])
    assert mine[0] == os.getpid()
    found, _ = run(2, [Task(who, None) for _ in range(20)])
    assert os.getpid() not in {process for process, _ in found}
    # Ctrl-C reaches the whole terminal; the parent alone decides what it means.
    assert {handler for _, handler in found} == {signal.SIG_IGN}


def test_large_results_and_arguments_pass() -> None:
    results, _ = run(2, [Task(large, 30_000_000), Task(large, 1)])
    assert [len(result) for result in results] == [30_000_000, 1]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_killed_is_told_with_its_signal(how: signal.Signals) -> None:
    with pytest.raises(WorkerLostError, match=f"signal {int(how)}") as caught:
        run(2, [Task(square, 1), Task(die, int(how)), Task(square, 2)])
    assert ("memory" in caught.value.advice) == (how == signal.SIGKILL)


@pytest.mark.parametrize("code", [0, 3])
def test_a_worker_that_leaves_is_lost_too(code: int) -> None:
    with pytest.raises(WorkerLostError, match=f"exit code {code}"):
        run(2, [Task(leave, code)])


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_heavy_task_loads_is_gone_with_its_worker(workers: int) -> None:
    tasks = [Task(who, None, heavy=number % 2 == 0) for number in range(8)]
    found, _ = run(workers, tasks)
    heavy, light = ({process for process, _ in found[start::2]} for start in (0, 1))
    if workers > 1:
        assert len(heavy) == 4
        assert light
    else:
        assert heavy == light == {os.getpid()}


def busy(folder: Path, count: int) -> list[int]:
    """Wait until so many workers are at work, and give their process ids."""
    deadline = time.monotonic() + 20
    while len(found := [int(path.name) for path in folder.iterdir()]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cancel_from_another_thread_stops_it_within_a_second(
    workers: int, tmp_path: Path
) -> None:
    cancel = Cancellation()
    asked: list[float] = []

    def ask() -> None:
        busy(tmp_path, workers)
        asked.append(time.monotonic())
        cancel.cancel()

    thread = threading.Thread(target=ask)
    thread.start()
    with pytest.raises(CancelledError):
        run(workers, [Task(work_long, tmp_path)] * 4, cancel)
    assert time.monotonic() - asked[0] < 1
    thread.join()
    assert len(list(tmp_path.iterdir())) == workers


def test_an_error_of_the_listener_stops_the_workers(tmp_path: Path) -> None:
    def heard(*_: int) -> None:
        raise StorageError("the listener's own")

    with pytest.raises(StorageError):
        WorkerPool(2).run([Task(work_long, tmp_path)] * 2, heard, Cancellation())


PARENT = """
import sys
from pathlib import Path
from mindcorpus.execution.worker_pool import WorkerPool, Task
from mindcorpus.progress import Cancellation
sys.path[:0] = sys.argv[2:4]
from test_worker_pool import work_long
tasks = [Task(work_long, Path(sys.argv[1]))] * int(sys.argv[4])
WorkerPool(3).run(tasks, lambda *_: None, Cancellation())
"""


@pytest.mark.parametrize("tasks", [3, 1])
def test_workers_end_with_a_parent_that_is_killed(tasks: int, tmp_path: Path) -> None:
    script, folder = tmp_path / "parent.py", tmp_path / "at work"
    script.write_text(PARENT)
    folder.mkdir()
    library = Path(__file__).parent
    parent = python(script, folder, library, library.parent, tasks)
    try:
        busy(folder, tasks)
        workers = psutil.Process(parent.pid).children(recursive=True)
    finally:
        parent.kill()
        parent.wait()
    assert len(workers) == tasks
    _, alive = psutil.wait_procs(workers, timeout=2)
    assert alive == []


def is_collected(fails: bool, _tick: Tick) -> bool:
    if fails:
        raise DataError("cycles", file="a file")
    return gc.isenabled()


@pytest.mark.parametrize("workers", [1, 2])
def test_nobody_looks_for_cycles_while_a_task_runs_but_afterwards(workers: int) -> None:
    tasks = [Task(is_collected, fails) for fails in (False, True)]
    looked, failed = WorkerPool(workers).run(tasks, lambda *_: None, Cancellation())
    assert looked is False
    assert isinstance(failed, DataError)
    assert gc.isenabled()
