"""A hub that turns workers away, breaks off, hangs or asks who they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from closed_door import ClosedDoor
from sources import HUB, REPOSITORY, ROWS_A_MEGABYTE, rows

from mindcorpus.sources.catalog import load_catalog

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster import Cluster
    from hub_server import HubServer
    from invariants import Watcher

    Build = Callable[..., tuple[Cluster, Watcher]]

FILE = "GET .*/rows.jsonl"


@pytest.fixture
def distant(hub: HubServer, build: Build) -> tuple[Cluster, Watcher, HubServer]:
    """A service whose hub, one of the test's own, has the source `distant`."""
    target = hub.root / "datasets" / REPOSITORY / "rows.jsonl"
    target.parent.mkdir(parents=True)
    target.write_bytes(rows(1))
    return *build(), hub


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("rate-limited", {"times": 3, "seconds": 1}),
        ("unavailable", {"times": 5}),
        ("truncated", {"match": FILE, "times": 3, "at": 1000}),
        ("corrupted", {"match": FILE, "times": 1}),
        ("stalled", {"match": FILE, "times": 2, "at": 1000, "seconds": 4}),
    ],
)
def test_what_may_pass_is_waited_for(
    kind: str, rule: dict[str, Any], distant: tuple[Cluster, Watcher, HubServer]
) -> None:
    from invariants import assert_sound

    cluster, watcher, hub = distant
    hub.fail(kind, **rule)
    job = cluster.merge(HUB)
    ended = assert_sound(cluster, watcher, [job])[job.id]
    assert ended.state == "succeeded", ended.error
    assert ended.result is not None
    assert ended.result["records"] == ROWS_A_MEGABYTE
    assert [each["fault"] for each in hub.requests].count(kind) == rule["times"]
    (part,) = cluster.parts(job).values()
    assert part["attempt"] == "1"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("unauthenticated", "access-denied"),
        ("gated", "access-denied"),
        ("missing", "source-not-found"),
    ],
)
def test_what_will_not_pass_fails_at_once_with_its_code(
    kind: str, code: str, distant: tuple[Cluster, Watcher, HubServer]
) -> None:
    from invariants import assert_sound

    cluster, watcher, hub = distant
    hub.fail(kind, times=None)
    began = time.monotonic()
    job = cluster.merge(HUB)
    ended = assert_sound(cluster, watcher, [job])[job.id]
    assert ended.error is not None
    assert (ended.error.code, ended.error.source) == (code, HUB)
    assert ended.error.hint
    assert time.monotonic() - began < 15
    (part,) = cluster.parts(job).values()
    assert part["tries"] == "0"


def test_a_hub_that_stays_away_fails_the_job_when_its_tries_are_used_up(
    hub: HubServer, build: Build
) -> None:
    from invariants import assert_sound

    cluster, watcher = build(max_tries="2", retry_seconds="0.2")
    hub.fail("unavailable", times=None)
    job = cluster.merge(HUB)
    ended = assert_sound(cluster, watcher, [job])[job.id]
    assert (ended.state, ended.error and ended.error.code) == ("failed", "hub-unavailable")


def test_no_hub_is_found_out_once_for_all_parts_of_a_merge(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    from invariants import assert_sound

    hosted = [source.name for source in load_catalog() if source.repository]
    with ClosedDoor() as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"http://{hub.host}")
        cluster, watcher = build(fetch_tries="3", max_tries="2", retry_seconds="8")
        job = cluster.merge(*hosted)
        ended = assert_sound(cluster, watcher, [job])[job.id]
    error = ended.error
    assert error is not None
    assert (ended.state, error.code) == ("failed", "hub-unavailable")
    assert hub.host in error.title
    assert all(name in f"{error.source} {error.title}" for name in hosted), error.title
    # Each part by itself: 18 in the first round alone. One asks in each round, or two, where the
    # others begin so late that the verdict has lapsed.
    assert hub.knocks <= 12
    assert len(cluster.parts(job)) == len(hosted)


def test_a_job_that_waits_for_the_hub_can_be_cancelled(
    distant: tuple[Cluster, Watcher, HubServer],
) -> None:
    from invariants import assert_sound

    cluster, watcher, hub = distant
    hub.fail("slow", times=None, seconds=30)
    job = cluster.merge(HUB)
    cluster.until("the hub to be asked", cluster.runners, job=job)
    time.sleep(1)
    assert cluster.job_service.cancel(job.id).state == "cancelled"
    assert_sound(cluster, watcher, [job], 5)
