"""The figures as Markdown: what the issue asks for beside what was measured, then all loads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from bench.service.answering import RATE
from bench.service.figures import Load, MergeTimes, Results, Scaling
from bench.service.report_row import Row
from bench.service.report_trouble import memory_table, trouble_rows

_P99_MS = {"POST": 50.0, "GET": 20.0}
_FIRST_PROGRESS_S = 1.5
_POLLING_MS = 50.0
_DELAY_MS = 500.0
_RATIO = 1.6


def markdown(results: Results) -> str:
    """Give the table of targets, and those of loads and of memory if there are any."""
    lines = ["| measure | target | measured | | what limits it |", "|---|---|---|---|---|"]
    lines += map(str, _rows(results))
    if results.loads or results.streams:
        lines += ["", *_load_table(results)]
    if results.memory:
        lines += ["", *memory_table(results.memory)]
    return "\n".join(lines)


def all_met(results: Results) -> bool:
    """Whether no target was missed."""
    return all(row.met is not False for row in _rows(results))


def _rows(results: Results) -> Iterator[Row]:
    yield from (_load_row(load) for load in results.loads if load.asked is not None)
    if (first := results.first_progress) is not None:
        yield Row(
            f"POST to first progress, workers idle, {first.heard.count} times",
            f"within {_FIRST_PROGRESS_S} s",
            f"median {first.heard.p50:.2f} s, at most {first.heard.most:.2f} s",
            first.heard.most <= _FIRST_PROGRESS_S,
            f"accepted after {first.accepted:.3f} s, held by a worker after {first.begun:.3f} s;"
            " the rest is a new process that loads Python and the library",
        )
    if (delays := results.delays) is not None:
        yield Row(
            f"event delay, both workers busy ({delays.working:.0%}), {delays.events.count} events",
            f"p99 < {_DELAY_MS:.0f} ms",
            f"p50 {delays.events.p50:.0f} ms, p99 {delays.events.p99:.0f} ms",
            delays.events.p99 < _DELAY_MS,
            "the web process' turn on cores that runners share; a newly watched job waits for the"
            " reader's next read, up to 200 ms",
        )
    if results.scaling is not None:
        yield from _scaling_rows(results.scaling)
    if (streams := results.streams) is not None:
        whole = streams.alive == streams.complete == streams.opened
        polling = streams.polling
        yield Row(
            f"{streams.opened} open streams, {streams.events} events",
            "all alive, every event to each",
            f"{streams.alive} alive, {streams.complete} complete;"
            f" delay p50 {streams.delays.p50:.0f} ms, p99 {streams.delays.p99:.0f} ms",
            whole,
            f"the listener takes {streams.listener_cpu:.0%} of a core; a stream holds a thread",
        )
        yield Row(
            f"GET of a job, {RATE:.0f}/s, beside them, workers {_share(polling)}",
            f"p99 < {_POLLING_MS:.0f} ms",
            _latency(polling),
            polling.latency.p99 < _POLLING_MS and not polling.failures,
            _limit(polling),
        )
    yield from trouble_rows(results)


def _load_row(load: Load) -> Row:
    target = _P99_MS[load.request]
    busy = load.workers == "busy"
    what = "POST to 202" if load.request == "POST" else "GET of a job"
    return Row(
        f"{what}, {load.asked:.0f}/s, workers {_share(load)}",
        f"p99 < {target:.0f} ms" if busy else "–",
        _latency(load),
        load.latency.p99 < target and not load.failures if busy else None,
        _limit(load),
    )


def _share(load: Load) -> str:
    looks = "" if load.working is None else f" ({load.working:.0%} of looks)"
    return f"{load.workers}{looks}"


def _latency(load: Load) -> str:
    failed = f", {load.failures} failed" if load.failures else ""
    spread = load.latency
    return f"p50 {spread.p50:.1f}, p99 {spread.p99:.1f}, max {spread.most:.1f} ms{failed}"


def _limit(load: Load) -> str:
    shared = ", two cores with two runners" if load.workers == "busy" else ""
    return (
        f"web: {load.web_ms:.1f} ms of CPU a request in one process,"
        f" {load.cpu['web']:.0%} of a core{shared}"
    )


def _scaling_rows(scaling: Scaling) -> Iterator[Row]:
    one, two = _medians(scaling.one), _medians(scaling.two)
    same = "the same bytes" if scaling.same_bytes else "**NOT the same bytes**"
    # What more workers can never shorten: the beginning, and a last step that one runner does.
    alone = one.begin + one.last_step
    ceiling = one.total / (alone + one.parts / 2)
    yield Row(
        f"merge of {scaling.parts} parts, two workers against one, {len(scaling.one)} rounds",
        f"at least {_RATIO} times",
        f"{one.total:.2f} s / {two.total:.2f} s = {one.total / two.total:.2f} times; {same}",
        one.total / two.total >= _RATIO and scaling.same_bytes,
        f"the last step is one runner's, {one.last_step:.2f} s of {one.total:.2f} s, and uses all"
        f" cores already: {ceiling:.2f} times is the most; stages {_stages(two)}",
    )
    yield Row(
        "– its parts alone",
        "–",
        f"{one.parts:.2f} s / {two.parts:.2f} s = {one.parts / two.parts:.2f} times",
        None,
        "a new process a part; two share memory, disk and page cache",
    )
    yield Row(
        "– its last step alone",
        "–",
        f"{one.last_step:.2f} s / {two.last_step:.2f} s",
        None,
        "the same work in both",
    )
    yield Row(
        "– by the command line",
        "–",
        f"{median(scaling.command_line):.2f} s, start included",
        None,
        "reads with all cores in one program, and keeps no parts",
    )


def _medians(runs: Sequence[MergeTimes]) -> MergeTimes:
    names = runs[0].stages
    return MergeTimes(
        total=median(run.total for run in runs),
        begin=median(run.begin for run in runs),
        parts=median(run.parts for run in runs),
        last_step=median(run.last_step for run in runs),
        stages={name: median(run.stages.get(name, 0.0) for run in runs) for name in names},
    )


def _stages(times: MergeTimes) -> str:
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in times.stages.items())


def _load_table(results: Results) -> Iterator[str]:
    yield (
        "| request | workers | asked, /s | answered, /s | p50, ms | p99, ms | max, ms | failed"
        " | web ms each | web CPU | Redis CPU | client CPU | sent late, p99 ms |"
    )
    yield "|---" * 13 + "|"
    loads = [*results.loads, *([results.streams.polling] if results.streams else [])]
    for at, load in enumerate(loads):
        beside = ", beside streams" if at == len(results.loads) else ""
        spread, cpu = load.latency, load.cpu
        yield (
            f"| {load.request}{beside} | {load.workers}"
            f" | {'full speed' if load.asked is None else f'{load.asked:.0f}'}"
            f" | {load.answered:.1f} | {spread.p50:.1f} | {spread.p99:.1f} | {spread.most:.1f}"
            f" | {load.failures} | {load.web_ms:.1f} | {cpu['web']:.0%} | {cpu['redis']:.0%}"
            f" | {cpu['client']:.0%} | {load.late_p99:.1f} |"
        )
