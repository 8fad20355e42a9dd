"""One verdict a host for all sources of a merge: no hub costs seconds and is told once."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from closed_door import ClosedDoor
from command_line import run
from hub_server import HubServer

from mindcorpus.errors import HubUnavailableError, RateLimitedError, SourcesError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import merge
from mindcorpus.sources import hub_retries
from mindcorpus.sources.catalog import load_catalog
from mindcorpus.sources.fetching import SAMPLE
from mindcorpus.sources.hosts import FIRST_TRIES

if TYPE_CHECKING:
    from mindcorpus.settings import Settings

HOSTED = [source.name for source in load_catalog() if source.repository]
REDDIT = str(SAMPLE / "raw/RedditESS")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_retries, "BASE_DELAY", 0.02)


@pytest.mark.parametrize("silent", [False, True], ids=["hangs up", "says nothing"])
def test_no_hub_is_asked_a_few_times_and_told_once(silent: bool, tmp_path: Path) -> None:
    with ClosedDoor(silent=silent) as hub:
        ran = run(
            *("merge", "--data-dir", "data"),
            cwd=tmp_path,
            HF_ENDPOINT=f"http://{hub.host}",
            MINDCORPUS_CACHE_DIR="cache",
            MINDCORPUS_FETCH_TIMEOUT="0.5" if silent else "30",
        )
    assert (ran.code, hub.knocks) == (4, FIRST_TRIES)
    lines = ran.err.splitlines()
    [error] = [line for line in lines if line.startswith("error:")]
    assert hub.host in error
    assert all(name in error for name in HOSTED)
    assert "HF_ENDPOINT" in ran.err
    assert "HTTPS_PROXY" in ran.err
    assert "online" in ran.err
    assert len(lines) <= 2 + (FIRST_TRIES - 1) + 2, ran.err


def test_what_each_source_met_is_still_recorded(
    hasty: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = MergeRequest(paths={"RedditESS": REDDIT}, allow_missing=True)
    with ClosedDoor() as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"http://{hub.host}")
        result = merge(request, settings)
    assert hub.knocks == FIRST_TRIES
    missing = {entry["source"]: entry for entry in result.missing}
    assert list(missing) == HOSTED
    assert {entry["code"] for entry in missing.values()} == {"hub-unavailable"}
    assert [entry["reason"].rpartition(", ")[2] for entry in missing.values()] == [
        f"{FIRST_TRIES} times",
        *["so it was not asked again"] * (len(HOSTED) - 1),
    ]


def test_a_hub_that_only_fails_is_tried_once_by_those_who_come_later(
    hasty: None, hub: HubServer, settings: Settings
) -> None:
    hub.fail("unavailable", times=None)
    with pytest.raises(HubUnavailableError) as caught:
        merge(MergeRequest(), settings)
    assert caught.value.sources == tuple(HOSTED)
    assert [asked["status"] for asked in hub.requests] == [503] * (
        settings.fetch_tries + len(HOSTED) - 1
    )


def test_a_source_that_fails_does_not_spoil_the_others(
    hasty: None, hub: HubServer, settings: Settings
) -> None:
    shutil.copytree(SAMPLE / "datasets", hub.root / "datasets")
    first, *others = HOSTED
    hub.fail("unavailable", match="Human-Like-DPO-Dataset", times=None)
    result = merge(MergeRequest(allow_missing=True), settings)
    assert [entry["source"] for entry in result.missing] == [first]
    assert [source["name"] for source in result.manifest["sources"]] == others


def test_a_pause_that_is_asked_for_is_no_verdict(
    hasty: None, hub: HubServer, settings: Settings
) -> None:
    hub.fail("rate-limited", times=None)
    patient = settings.model_copy(update={"fetch_tries": 3})
    with pytest.raises(SourcesError) as caught:
        merge(MergeRequest(), patient)
    assert {type(failure) for failure in caught.value.failures} == {RateLimitedError}
    assert [asked["status"] for asked in hub.requests] == [429] * 3 * len(HOSTED)


def test_a_break_of_ten_seconds_within_a_merge_is_ridden_out(
    hub: HubServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SAMPLE / "datasets", hub.root / "datasets")
    root, port = hub.root, hub.port
    back: list[HubServer] = []

    def interrupt() -> None:
        while not any("/resolve/" in asked["path"] for asked in hub.requests):
            time.sleep(0.01)
        hub.stop()
        time.sleep(10)
        back.append(HubServer(root, port).start())

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        result = merge(MergeRequest(), settings)
    finally:
        thread.join()
        hub._server = back[0]._server
    assert result.missing == ()
    assert back[0].requests
