"""The rows of the report about a service that is hurt, crowded, or has done much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.service.figures import Crowded, MemoryLook, Recovery, Results, Wakes
from bench.service.recovering import GRACE
from bench.service.report_row import Row

_TAKEN_S = 2.0
_CROWDED_S = 1.0
_FLAT = 1.1


def trouble_rows(results: Results) -> Iterator[Row]:
    """Give the rows of the sections that were measured."""
    if results.recovery is not None:
        yield _recovery_row(results.recovery)
    if results.wakes is not None:
        yield from _wake_rows(results.wakes)
    if results.crowded is not None:
        yield from _crowded_rows(results.crowded)
    if results.memory:
        yield from _memory_rows(results.memory)


def _crowded_rows(crowded: Crowded) -> Iterator[Row]:
    for what, spread in (("/healthz", crowded.alive), ("POST to 202", crowded.posted)):
        yield Row(
            f"{what} beside {crowded.readers} slow readers and {crowded.writers} slow writers,"
            f" workers busy ({crowded.working:.0%} of looks), {spread.count} times",
            f"within {_CROWDED_S:g} s",
            f"median {spread.p50:.2f} s, at most {spread.most:.2f} s;"
            f" {crowded.served} readers served, {crowded.cut_off} writers cut off",
            spread.most <= _CROWDED_S and crowded.served == crowded.readers,
            "threads, where a slow client holds one",
        )


def _recovery_row(recovery: Recovery) -> Row:
    bound = recovery.lease + recovery.sweep + GRACE
    held = recovery.held
    return Row(
        f"kill of a busy worker to its part in another's hand, {held.count} times",
        f"within {recovery.lease:g} + {recovery.sweep:g} + {GRACE:g} s",
        f"median {held.p50:.2f} s, at most {held.most:.2f} s",
        held.most <= bound,
        "the lease, less what had passed of it since its last renewal, then the next sweep",
    )


def _wake_rows(wakes: Wakes) -> Iterator[Row]:
    for who, spread, limit in (
        ("a free worker takes a job, no message sent", wakes.free, "the next sweep"),
        (
            "a worker that is free again takes a job, its message deleted",
            wakes.busy,
            "the next sweep, unless the end of another job tells of it",
        ),
    ):
        yield Row(
            f"{who}, {spread.count} times",
            f"within {_TAKEN_S:g} s",
            f"median {spread.p50:.2f} s, at most {spread.most:.2f} s",
            spread.most <= _TAKEN_S,
            limit,
        )


def _memory_rows(looks: Sequence[MemoryLook]) -> Iterator[Row]:
    # The first look is before any job: what is loaded once comes with the first of them.
    _, first, *_, last = looks
    middle = looks[len(looks) // 2]
    for name in ("web", "workers"):
        before, after = getattr(first, name), getattr(last, name)
        yield Row(
            f"memory of {name}, from {first.jobs} to {last.jobs} small jobs",
            f"at most {_FLAT:g} times",
            f"{_mib(before)} to {_mib(after)} MiB, {after / before:.2f} times",
            after <= _FLAT * before,
            "–",
        )
    early = (middle.redis_used - first.redis_used) / max(1, middle.jobs - first.jobs)
    late = (last.redis_used - middle.redis_used) / max(1, last.jobs - middle.jobs)
    yield Row(
        f"memory of Redis, from {first.jobs} to {last.jobs} small jobs",
        f"no job takes more than {_FLAT:g} times what those before it took",
        f"{early:.0f} bytes a job, then {late:.0f};"
        f" {_mib(first.redis_used)} to {_mib(last.redis_used)} MiB",
        late <= _FLAT * early,
        "jobs are remembered for days, and their events for an hour",
    )


def memory_line(look: MemoryLook) -> str:
    """Give one point of the curve in words."""
    return (
        f"web {_mib(look.web)}, workers {_mib(look.workers)}, Redis {_mib(look.redis)} MiB"
        f" ({_mib(look.redis_used)} by its own count)"
    )


def memory_table(looks: Sequence[MemoryLook]) -> Iterator[str]:
    """Give the curve as a table."""
    yield "| small jobs | web, MiB | workers, MiB | Redis, MiB | Redis by its own count, MiB |"
    yield "|---" * 5 + "|"
    for look in looks:
        sizes = (look.web, look.workers, look.redis, look.redis_used)
        yield f"| {look.jobs} | {' | '.join(map(_mib, sizes))} |"


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f}"
