"""The bench of the service runs from end to end; its figures are possible. None is judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.service.client import Client, JobSpec
from bench.service.figures import (
    Load,
    MemoryLook,
    MergeTimes,
    Recovery,
    Results,
    Scaling,
    Spread,
    Wakes,
)
from bench.service.plan import SECTIONS, Plan, names, prepare
from bench.service.report import all_met, markdown
from bench.service.run import play
from mindcorpus.errors import SettingsError
from mindcorpus.sources.catalog import load_catalog
from web.local.redis_server import choose_server

ROOT = Path(__file__).parents[2]
SIZE = 2_000_000


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("service-bench")
    made = Plan(folder / "corpus", folder / "work", seconds=0.4, rounds=1, jobs=20, clients=20)
    prepare(made, SIZE)
    return made


@pytest.fixture(scope="module")
def results(plan: Plan) -> Results:
    try:
        choose_server()
    except SettingsError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return play(plan)


def is_possible(spread: Spread, most: float) -> bool:
    return spread.count > 0 and 0 < spread.p50 <= spread.p99 <= spread.most < most


def test_every_load_was_put_and_answered(results: Results) -> None:
    put = [(load.request, load.workers, load.asked) for load in results.loads]
    rates = (50.0, None)
    assert put == [
        (request, workers, rate)
        for workers in ("idle", "busy")
        for request in ("GET", "POST")
        for rate in rates
    ]
    for load in results.loads:
        assert load.failures == 0
        assert is_possible(load.latency, 30_000)
        assert load.answered > 1
        assert set(load.cpu) == {"client", "web", "redis"}
        assert all(0 <= share < 2.5 for share in load.cpu.values())
        assert (load.working is None) == (load.workers == "idle")
        if load.asked:
            assert load.latency.count == 20  # 0.4 s of 50 a second, whatever the answers take


def test_events_are_heard(results: Results) -> None:
    assert results.first_progress is not None
    assert is_possible(results.first_progress.heard, 60)
    assert results.first_progress.begun < results.first_progress.heard.most
    assert results.delays is not None
    assert results.delays.events.count > 0
    assert -1 <= results.delays.events.p50 < 30_000


def test_a_hundred_streams_hear_all_of_it(results: Results) -> None:
    streams = results.streams
    assert streams is not None
    assert (streams.opened, streams.alive, streams.complete) == (100, 100, 100)
    assert streams.events >= 100
    assert streams.polling.failures == 0
    assert streams.polling.workers == "busy"


def test_work_goes_on_after_a_kill_and_without_messages(results: Results) -> None:
    assert results.recovery is not None
    assert results.recovery.held.count == 1
    assert is_possible(results.recovery.held, 120)
    assert results.wakes is not None
    assert is_possible(results.wakes.free, 60)
    assert 0 <= results.wakes.busy.most < 60


def test_others_are_asked_beside_slow_clients(results: Results) -> None:
    crowded = results.crowded
    assert crowded is not None
    assert (crowded.readers, crowded.writers, crowded.served) == (20, 20, 20)
    assert is_possible(crowded.alive, 60)
    assert is_possible(crowded.posted, 60)


def test_memory_is_looked_at_ten_times(results: Results) -> None:
    assert [look.jobs for look in results.memory] == list(range(0, 21, 2))
    for look in results.memory:
        assert look.redis_used > 1 << 20
        assert all(10 << 20 < size < 2 << 30 for size in (look.web, look.workers))


def test_one_worker_two_and_the_command_line_write_the_same(results: Results, plan: Plan) -> None:
    scaling = results.scaling
    assert scaling is not None
    assert scaling.same_bytes
    assert scaling.parts == len(names(plan))
    assert len(scaling.one) == len(scaling.two) == len(scaling.command_line) == 1
    for times in (*scaling.one, *scaling.two):
        assert times.total == pytest.approx(times.begin + times.parts + times.last_step)
        assert min(times.parts, times.last_step) > 0
        assert "write" in times.stages


def test_the_report_has_a_row_for_each_target(results: Results) -> None:
    printed = markdown(results)
    for words in (
        "POST to 202, 50/s, workers idle",
        "POST to 202, 50/s, workers busy",
        "GET of a job, 50/s, workers busy",
        "POST to first progress",
        "event delay",
        "two workers against one",
        "by the command line",
        "100 open streams",
        "GET of a job, 50/s, beside them",
        "kill of a busy worker",
        "a free worker takes a job",
        "a worker that is free again",
        "/healthz beside 20 slow readers and 20 slow writers",
        "POST to 202 beside 20 slow readers",
        "memory of web",
        "memory of workers",
        "memory of Redis",
    ):
        assert (
            printed.count(f"| {words}") + printed.count(f"| – {words}") + printed.count(words) >= 1
        )
    lines = [line for line in printed.splitlines() if line]
    assert {line.count("|") for line in lines} == {6, 14}
    json.dumps(asdict(results))


def test_nothing_is_left_of_it(results: Results, plan: Plan) -> None:
    assert [path.name for path in plan.work.iterdir()] == ["catalog.toml"]


def test_the_catalogue_names_the_corpus(plan: Plan) -> None:
    catalog = load_catalog([plan.catalog])
    for name in names(plan):
        source = catalog[name]
        assert source.path is not None
        assert all((Path(source.path) / file.path).is_file() for file in source.files)


def test_a_spread_takes_the_nearest_rank() -> None:
    assert Spread.of(range(1, 101)) == Spread(100, 50, 99, 100)
    assert Spread.of([3.0]) == Spread(1, 3.0, 3.0, 3.0)


def test_missed_targets_are_told() -> None:
    def run(parts: float) -> MergeTimes:
        return MergeTimes(parts + 1, 0.0, parts, 1.0, {"write": 1.0})

    results = Results({}, "a machine")
    results.scaling = Scaling([run(8)], [run(4)], [5.0], same_bytes=True, parts=9)
    assert all_met(results)
    assert "9.00 s / 5.00 s = 1.80 times; the same bytes | met" in markdown(results)
    results.scaling = Scaling([run(8)], [run(6)], [5.0], same_bytes=True, parts=9)
    assert "**not met**" in markdown(results)
    results = Results({}, "a machine", recovery=Recovery(Spread.of([19.1]), 15.0, 2.0))
    assert not all_met(results)
    results = Results({}, "a machine", wakes=Wakes(Spread.of([1.9]), Spread.of([2.1])))
    assert not all_met(results)
    slow = Load("GET", "busy", 50.0, 50.0, Spread(9, 5, 21, 22), 0, 0.1, {"web": 0.2}, 1.0)
    results = Results({}, "a machine", [slow])
    assert not all_met(results)


@pytest.mark.parametrize("who", ["web", "workers", "redis_used"])
def test_memory_that_grows_is_told(who: str) -> None:
    flat = MemoryLook(0, web=100 << 20, workers=100 << 20, redis=9 << 20, redis_used=9 << 20)
    looks = [
        replace(flat, jobs=jobs, redis_used=flat.redis_used + 9_000 * jobs)
        for jobs in range(0, 2001, 200)
    ]
    assert all_met(Results({}, "a machine", memory=looks))
    # More for each job than for the one before it.
    grown = [replace(look, **{who: getattr(look, who) + 10 * look.jobs**2}) for look in looks]
    assert not all_met(Results({}, "a machine", memory=grown))


def test_a_server_that_stalls_is_charged_for_all_that_was_due(tmp_path: Path) -> None:
    # The 50th request and all that come within the next second are answered after that second.
    program = """
import itertools, socket, threading, time
server = socket.create_server(("127.0.0.1", 0), backlog=200)
print(server.getsockname()[1], flush=True)
number = itertools.count(1)
until = 0.0
def serve(connection):
    global until
    while connection.recv(65536):
        if next(number) == 50:
            until = time.monotonic() + 1
        time.sleep(max(0, until - time.monotonic()))
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
    server = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        answered = Client(JobSpec(port, "token", "GET", "/", "", 0, 200, 1.5, 100.0, {})).run()
    finally:
        server.kill()
        server.communicate()
    assert len(answered.latencies) == 150
    assert answered.failures == 0
    slow = [latency for latency in answered.latencies if latency > 100]
    # A client that waits for each answer before it sends the next would have one slow request.
    assert 60 < len(slow) < 120


@pytest.mark.parametrize("only", ["nothing", "post,nothing", ""])
def test_unknown_sections_are_refused(only: str) -> None:
    command = [sys.executable, "-m", "bench.service", "--only", only]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert SECTIONS[0] in done.stderr
