"""The real client against the stand-in hub, every kind of fault in turn."""

from __future__ import annotations

import hashlib
import logging
import pickle
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import get_session, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils.tqdm import silent_tqdm

from mindcorpus.errors import (
    AccessDeniedError,
    CancelledError,
    CatalogError,
    HubUnavailableError,
    MindcorpusError,
    NotFoundError,
    RateLimitedError,
    SettingsError,
    WrongBytesError,
)
from mindcorpus.progress import Cancellation, Progress, silent
from mindcorpus.settings import Settings
from mindcorpus.sources import hub_client, hub_retries
from mindcorpus.sources.catalog import File, Licence, Source
from mindcorpus.sources.fetching import lock_of
from mindcorpus.sources.files import remove_damaged
from mindcorpus.sources.hub import Fetched, FetchedFile, fetch, fetch_local, verify
from mindcorpus.sources.hub_http import httpcore, httpx
from mindcorpus.sources.lock import LockedFile, LockedSource

if TYPE_CHECKING:
    from hub_server import HubServer

PLAIN = b'{"Context": "one", "Response": "two"}\n' * 40
LARGE = bytes(range(256)) * 200  # a .parquet file is an LFS file, whatever it holds
LICENCE = Licence(id="MIT", terms="Keep the notice.", commercial="yes")

Fetcher = Callable[..., Fetched]


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_retries, "BASE_DELAY", 0.02)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache_dir=tmp_path / "cache", fetch_tries=3, fetch_timeout=5)


@pytest.fixture
def demo(hub: HubServer) -> Source:
    """A source of two files, a plain and a large one, that lie on the hub."""
    publish(hub, "owner/demo", {"data.jsonl": PLAIN, "part/more.parquet": LARGE})
    return source("data.jsonl", "part/more.parquet")


def publish(hub: HubServer, repository: str, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        target = hub.root / "datasets" / repository / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def source(*files: str, **fields: Any) -> Source:
    home = {} if {"url", "path"} & set(fields) else {"repository": "owner/demo"}
    named = tuple(File(path=path) for path in files)
    return Source(name="Demo", licence=LICENCE, type="test", files=named, **{**home, **fields})


def get(wanted: Source, settings: Settings, **options: Any) -> Fetched:
    given = {"locked": None, "report": silent, "cancel": Cancellation(), **options}
    return fetch(wanted, settings=settings, **given)


def lock(fetched: Fetched) -> LockedSource:
    files = tuple(replace(file, sha256=sha(file)) for file in fetched.files)
    locked = lock_of(replace(fetched, files=files))
    assert locked is not None
    return locked


def sha(file: FetchedFile) -> str:
    return hashlib.sha256(file.local.read_bytes()).hexdigest()


def refusal(wanted: Source, settings: Settings, kind: type[MindcorpusError], **options: Any) -> Any:
    """Give the error of a fetch that must fail, of exactly this kind, with a word on what to do."""
    with pytest.raises(kind) as caught:
        get(wanted, settings, **options)
    assert type(caught.value) is kind
    assert caught.value.source == "Demo"
    assert caught.value.advice
    return caught.value


def statuses(hub: HubServer) -> list[int]:
    return [request["status"] for request in hub.requests]


# -- fetching, caching, the lock ---------------------------------------------------------------


def test_files_are_fetched_at_a_commit_and_checked(
    hub: HubServer, demo: Source, settings: Settings
) -> None:
    fetched = get(demo, settings)
    assert fetched.source == "Demo"
    assert fetched.origin == "owner/demo"
    assert fetched.revision == hub.revisions("owner", "demo")[0].sha
    assert [file.path for file in fetched.files] == ["data.jsonl", "part/more.parquet"]
    assert [file.local.read_bytes() for file in fetched.files] == [PLAIN, LARGE]
    assert [file.size for file in fetched.files] == [len(PLAIN), len(LARGE)]
    assert all(file.sha256 == sha(file) for file in fetched.files)


def test_only_the_named_files_are_downloaded(
    hub: HubServer, demo: Source, settings: Settings
) -> None:
    publish(hub, "owner/demo", {"other.csv": b"a,b\n"})
    get(demo, settings)
    assert not any("other.csv" in request["path"] for request in hub.requests)


def test_a_locked_commit_in_the_cache_needs_no_request(
    hub: HubServer, demo: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = get(demo, settings)
    hub.reset()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    second = get(demo, settings, locked=lock(first))
    assert hub.requests == []
    assert second.revision == first.revision
    assert [file.sha256 for file in second.files] == ["", ""]
    assert [verify(file, "Demo").sha256 for file in second.files] == [
        file.sha256 for file in first.files
    ]


def test_a_lock_keeps_to_its_commit_when_main_moves_on(
    hub: HubServer, demo: Source, settings: Settings
) -> None:
    first = get(demo, settings)
    publish(hub, "owner/demo", {"data.jsonl": b"{}\n"})
    assert get(demo, settings, locked=lock(first)).revision == first.revision
    upgraded = get(demo, settings)
    assert upgraded.revision != first.revision
    assert upgraded.files[0].local.read_bytes() == b"{}\n"


def test_a_lock_reproduces_with_an_empty_cache_and_without_asking_for_main(
    hub: HubServer, demo: Source, settings: Settings, tmp_path: Path
) -> None:
    first = get(demo, settings)
    hub.reset()
    elsewhere = settings.model_copy(update={"cache_dir": tmp_path / "elsewhere"})
    second = get(demo, elsewhere, locked=lock(first))
    assert [file.sha256 for file in second.files] == [file.sha256 for file in first.files]
    assert not any(request["path"].endswith("/revision/main") for request in hub.requests)


def test_a_revision_asked_for_comes_before_the_lock(
    hub: HubServer, demo: Source, settings: Settings
) -> None:
    first = get(demo, settings)
    publish(hub, "owner/demo@v2", {"data.jsonl": b"2\n", "part/more.parquet": b"2"})
    second = get(demo, settings, locked=lock(first), revision="v2")
    assert second.revision != first.revision
    assert [file.size for file in second.files] == [2, 1]
    assert get(demo, settings, revision=first.revision).revision == first.revision


def test_a_file_that_changed_under_the_same_commit_is_an_error(
    hub: HubServer, demo: Source, settings: Settings, tmp_path: Path
) -> None:
    first = get(demo, settings)
    files = {**lock(first).files, "data.jsonl": LockedFile(size=len(PLAIN), sha256="0" * 64)}
    stale = lock(first).model_copy(update={"files": files})
    elsewhere = settings.model_copy(update={"cache_dir": tmp_path / "elsewhere"})
    error = refusal(demo, elsewhere, WrongBytesError, locked=stale)
    assert error.file == "data.jsonl"
    assert "--upgrade Demo" in error.advice
    files = {**lock(first).files, "part/more.parquet": LockedFile(size=1, sha256="0" * 64)}
    cached = get(demo, settings, locked=stale.model_copy(update={"files": files})).files[1]
    with pytest.raises(WrongBytesError, match=r"not the one that sources\.lock names"):
        verify(cached, "Demo")
    remove_damaged(cached)
    assert cached.local.exists()
    plain = get(demo, settings, locked=stale).files[0]
    with pytest.raises(WrongBytesError, match=r"not the one that sources\.lock names"):
        verify(plain, "Demo")
    remove_damaged(plain)
    assert plain.local.exists()


def test_a_lock_of_another_repository_is_refused(demo: Source, settings: Settings) -> None:
    other = LockedSource(repository="owner/other", revision="a" * 40, files={})
    assert "--upgrade Demo" in refusal(demo, settings, SettingsError, locked=other).advice


def test_a_damaged_cache_is_noticed_removed_and_fetched_again(
    hub: HubServer, demo: Source, settings: Settings
) -> None:
    first = get(demo, settings)
    locked = lock(first)
    for file in first.files:
        file.local.resolve().write_bytes(b"x" * file.size)
    damaged = get(demo, settings, locked=locked)
    for file in damaged.files:
        with pytest.raises(WrongBytesError, match="in the cache"):
            verify(file, "Demo")
        assert file.local.exists()  # another process may be about to open it
        remove_damaged(file)
        assert not file.local.exists()
        remove_damaged(file)
    again = get(demo, settings, locked=locked)
    assert [file.local.read_bytes() for file in again.files] == [PLAIN, LARGE]


def test_a_damaged_cache_is_noticed_without_a_lock(demo: Source, settings: Settings) -> None:
    first = get(demo, settings)
    for file in first.files:
        file.local.resolve().write_bytes(file.local.read_bytes()[:100])
    for file in get(demo, settings).files:
        with pytest.raises(WrongBytesError, match="in the cache"):
            verify(file, "Demo")
        remove_damaged(file)
    for file in get(demo, settings).files:
        assert verify(file, "Demo").sha256 in [file.sha256 for file in first.files]


def test_what_is_not_damaged_or_not_the_caches_is_never_removed(
    demo: Source, settings: Settings, tmp_path: Path
) -> None:
    get(demo, settings)
    local = fetch_local(source(path="raw"), local_files(tmp_path / "raw", "a.csv"))
    for file in (*get(demo, settings).files, *local.files):
        assert verify(file, "Demo").sha256
        remove_damaged(file)
        assert file.local.exists()


def test_a_run_of_another_tool_is_enough_offline(
    hub: HubServer, demo: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in demo.files:
        hf_hub_download(
            "owner/demo",
            file.path,
            repo_type="dataset",
            cache_dir=settings.cache_dir,
            endpoint=hub.url,
            tqdm_class=silent_tqdm,
        )
    commit = hub.revisions("owner", "demo")[0].sha
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert get(demo, settings).revision == commit


def test_offline_without_enough_in_the_cache_says_so(
    hub: HubServer, demo: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = refusal(demo, settings, HubUnavailableError)
    assert "HF_HUB_OFFLINE" in error.title
    assert "sources.lock" in error.hint
    assert hub.requests == []


def test_progress_is_told_in_bytes_and_ends_complete(demo: Source, settings: Settings) -> None:
    reports: list[Progress] = []
    get(demo, settings, report=reports.append)
    total = len(PLAIN) + len(LARGE)
    assert all(
        progress.stage == "fetch" and progress.item == "Demo" and progress.total == total
        for progress in reports
    )
    done = [progress.done for progress in reports]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, total)


# -- what passes -------------------------------------------------------------------------------

ASKED = {
    "the commit": "GET /api/datasets/.*/revision/main",
    "the digests": "POST .*/paths-info/",
    "a file's head": "HEAD .*/resolve/.*jsonl",
    "a file": "GET .*/resolve/.*jsonl",
    "a large file": "GET /cdn/",
}


@pytest.mark.parametrize("match", ASKED.values(), ids=ASKED)
def test_unavailable_then_fine(
    hub: HubServer, demo: Source, settings: Settings, match: str
) -> None:
    hub.fail("unavailable", match=match, times=2)
    get(demo, settings)
    assert statuses(hub).count(503) == 2


@pytest.mark.parametrize("match", ASKED.values(), ids=ASKED)
def test_a_rate_limit_is_waited_for_as_long_as_it_says(
    hub: HubServer, demo: Source, settings: Settings, match: str
) -> None:
    hub.fail("rate-limited", match=match, seconds=1)
    began = time.monotonic()
    get(demo, settings)
    assert 1 <= time.monotonic() - began < 2
    assert statuses(hub).count(429) == 1


@pytest.mark.parametrize("match", ASKED.values(), ids=ASKED)
def test_an_answer_that_is_too_slow_is_asked_for_again(
    hub: HubServer, demo: Source, settings: Settings, match: str
) -> None:
    hub.fail("slow", match=match, seconds=2)
    began = time.monotonic()
    get(demo, settings.model_copy(update={"fetch_timeout": 0.3}))
    assert time.monotonic() - began < 1.9


@pytest.mark.parametrize("kind", ["truncated", "stalled"])
@pytest.mark.parametrize("match", ["GET .*/resolve/.*jsonl", "GET /cdn/"])
def test_a_body_that_breaks_off_is_fetched_again(
    hub: HubServer, demo: Source, settings: Settings, kind: str, match: str
) -> None:
    hub.fail(kind, match=match, at=100, seconds=3)
    fetched = get(demo, settings.model_copy(update={"fetch_timeout": 0.3}))
    assert [file.local.read_bytes() for file in fetched.files] == [PLAIN, LARGE]


def test_a_long_body_that_breaks_off_is_gone_on_with(hub: HubServer, settings: Settings) -> None:
    publish(hub, "owner/demo", {"long.parquet": LARGE * 240})
    hub.fail("truncated", match="GET /cdn/", at=11 * 1024 * 1024)
    get(source("long.parquet"), settings)
    ranges = [asked["range"] for asked in hub.requests if asked["path"].startswith("/cdn/")]
    assert ranges == [None, f"bytes={11 * 1024 * 1024}-"]


@pytest.mark.parametrize("match", ["GET .*/resolve/.*jsonl", "GET /cdn/", "GET /api", "POST /api"])
def test_bytes_that_came_wrong_are_fetched_again(
    hub: HubServer, demo: Source, settings: Settings, match: str
) -> None:
    hub.fail("corrupted", match=match)
    fetched = get(demo, settings)
    assert [file.local.read_bytes() for file in fetched.files] == [PLAIN, LARGE]


@pytest.mark.parametrize("match", ASKED.values(), ids=ASKED)
def test_waiting_is_told_with_its_reason(
    hub: HubServer, demo: Source, settings: Settings, match: str
) -> None:
    hub.fail("rate-limited", match=match, seconds=1)
    reports: list[Progress] = []
    get(demo, settings, report=reports.append)
    (note,) = [progress.note for progress in reports if progress.note]
    assert note == "the hub answered 429 TOO MANY REQUESTS; trying again in 2 s (try 2 of 3)"
    assert reports[-1].note == ""


def test_waiting_within_a_body_is_told_once(
    hub: HubServer, demo: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0.5)
    hub.fail("truncated", match="GET /cdn/", at=100)
    reports: list[Progress] = []
    get(demo, settings, report=reports.append)
    (note,) = [progress.note for progress in reports if progress.note]
    assert note.endswith("trying again in 1 s (try 2 of 3)")


# -- what does not pass ------------------------------------------------------------------------


@pytest.mark.parametrize("match", ASKED.values(), ids=ASKED)
def test_unavailable_for_ever(hub: HubServer, demo: Source, settings: Settings, match: str) -> None:
    hub.fail("unavailable", match=match, times=None)
    error = refusal(demo, settings, HubUnavailableError)
    assert "503" in error.title
    assert statuses(hub).count(503) == settings.fetch_tries


def test_rate_limited_for_ever(hub: HubServer, demo: Source, settings: Settings) -> None:
    hub.fail("rate-limited", times=None)
    refusal(demo, settings, RateLimitedError)
    assert statuses(hub) == [429] * settings.fetch_tries


def test_a_pause_beyond_our_patience_is_not_waited_for(
    hub: HubServer, demo: Source, settings: Settings
) -> None:
    hub.fail("rate-limited", times=None, seconds=3600)
    assert "3600 s" in refusal(demo, settings, RateLimitedError).title
    assert statuses(hub) == [429]


def test_stalled_for_ever(hub: HubServer, demo: Source, settings: Settings) -> None:
    hub.fail("stalled", match="GET /cdn/", times=None, seconds=2)
    error = refusal(
        demo,
        settings.model_copy(update={"fetch_timeout": 0.2, "fetch_tries": 2}),
        HubUnavailableError,
    )
    assert error.file == "part/more.parquet"
    assert "in time" in error.title


def test_corrupted_for_ever(hub: HubServer, demo: Source, settings: Settings) -> None:
    hub.fail("corrupted", match="GET .*/resolve/.*jsonl", times=None)
    error = refusal(demo, settings, WrongBytesError)
    assert error.file == "data.jsonl"
    cache = settings.cache_dir
    assert cache
    assert not [
        file for file in cache.rglob("*") if file.is_file() and file.stat().st_size == len(PLAIN)
    ]


def test_nobody_answers(demo: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert "no connection" in refusal(demo, settings, HubUnavailableError).title


# -- what is never tried again -----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gated", "unauthenticated"])
@pytest.mark.parametrize("match", ["/api/", "HEAD .*/resolve/"])
def test_gated(hub: HubServer, demo: Source, settings: Settings, kind: str, match: str) -> None:
    hub.fail(kind, match=match, times=None)
    error = refusal(demo, settings, AccessDeniedError)
    assert "gated" in error.title
    assert f"{hub.url}/datasets/owner/demo" in error.hint
    assert "HF_TOKEN" in error.hint
    assert len([status for status in statuses(hub) if status >= 400]) == 1


def test_private(hub: HubServer, demo: Source, settings: Settings) -> None:
    hub.fail("private", times=None, token="hf_secret")
    assert "HF_TOKEN" in refusal(demo, settings, AccessDeniedError).hint
    assert statuses(hub) == [401]


def test_no_such_repository_for_one_who_is_logged_in(
    hub: HubServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    error = refusal(source("a.csv", repository="owner/none"), settings, NotFoundError)
    assert "no such repository" in error.title
    assert statuses(hub) == [404]


def test_no_such_revision(hub: HubServer, demo: Source, settings: Settings) -> None:
    for revision in ("v9", "f" * 40):
        error = refusal(demo, settings, NotFoundError, revision=revision)
        assert revision in error.title
    assert statuses(hub) == [404, 404]


def test_no_such_file(hub: HubServer, demo: Source, settings: Settings) -> None:
    error = refusal(source("data.jsonl", "gone.csv"), settings, NotFoundError)
    assert error.file == "gone.csv"
    assert f"{hub.url}/datasets/owner/demo" in error.hint
    hub.fail("missing", match="HEAD .*/resolve/", times=None)
    assert refusal(demo, settings, NotFoundError).file == "data.jsonl"


def test_an_endpoint_that_is_no_address(
    demo: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in ("huggingface.co", "user:s3cret@hub", "http://user:s3/cret@hub"):
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(SettingsError, match="HF_ENDPOINT") as caught:
            get(demo, settings)
        assert "s3" not in words_of(caught.value)


def words_of(error: MindcorpusError) -> str:
    return f"{error} {error.hint} {error.__cause__}"


@pytest.mark.parametrize("kind", ["gated", "private", "missing", "unavailable", "rate-limited"])
def test_a_password_in_the_endpoint_is_never_told(
    kind: str,
    hub: HubServer,
    demo: Source,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url.replace("//", "//user:s3cret@"))
    get(demo, settings)
    publish(hub, "owner/demo", {"data.jsonl": b"{}\n"})
    for match in ("/api/", "HEAD .*/resolve/"):
        hub.reset()
        hub.fail(kind, match=match, times=None)
        with pytest.raises(MindcorpusError) as caught:
            get(demo, settings)
        assert "s3cret" not in words_of(caught.value)
        assert "user" not in caught.value.title + caught.value.hint


# -- tokens ------------------------------------------------------------------------------------


def test_the_token_goes_to_the_hub_and_nowhere_else(
    hub: HubServer,
    demo: Source,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.fail("gated", match=" /(api|datasets)/", times=None, token="hf_secret")
    hub.fail("unavailable", times=2)
    hub.fail("truncated", match="/cdn/")
    with caplog.at_level(logging.DEBUG, "mindcorpus"):
        get(demo, settings)
    for request in hub.requests:
        assert request["token"] == (None if request["path"].startswith("/cdn/") else "hf_secret")
    assert "trying again" in caplog.text
    assert "hf_secret" not in caplog.text
    assert {record.name.partition(".")[0] for record in caplog.records} <= {
        "mindcorpus",
        "filelock",
    }


def test_the_hubs_client_says_nothing_of_its_own(
    hub: HubServer, demo: Source, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.fail("unavailable", times=2)
    hub.fail("truncated", match="/cdn/")
    get(demo, settings)
    assert capfd.readouterr() == ("", "")


def test_a_token_that_no_header_can_carry_is_not_shown(
    demo: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = chr(0x3B2)
    monkeypatch.setenv("HF_TOKEN", f"hf_{letter}")
    with pytest.raises(SettingsError) as caught:
        get(demo, settings)
    assert caught.value.field == "HF_TOKEN"
    assert letter not in "".join(traceback.format_exception(caught.value))


# -- cancelling --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "rate-limited", "times": None, "seconds": 60},
        {"kind": "slow", "seconds": 2},
        {"kind": "stalled", "match": "GET /cdn/", "seconds": 2},
    ],
    ids=["during a pause", "before an answer", "within a body"],
)
def test_cancelling_does_not_wait(
    hub: HubServer, demo: Source, settings: Settings, fault: dict[str, Any]
) -> None:
    hub.fail(**fault)
    cancel = Cancellation()
    timer = threading.Timer(0.4, cancel.cancel)
    timer.start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        get(demo, settings, cancel=cancel)
    assert time.monotonic() - began < 1
    timer.join()


# -- Retry-After -------------------------------------------------------------------------------


def test_retry_after_may_be_seconds_a_date_or_the_hubs_own_header() -> None:
    def read(**headers: str) -> float | None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return hub_client._retry_after(httpx.Headers(given))

    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    assert read(Retry_After="7") == 7
    assert 57 < (read(Retry_After=soon) or 0) <= 60
    assert read(Retry_After="Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert read(Retry_After="soon") is None
    assert read(RateLimit='"api";r=0;t=55') == 55
    assert read(RateLimit='"api";r=3;t=55') is None
    assert read() is None


# -- splits, where no files are named ----------------------------------------------------------


def test_the_files_of_a_split_are_those_of_the_card(hub: HubServer, settings: Settings) -> None:
    configs = "[{config_name: default, data_files: [{split: train, path: x/*.csv}]}]"
    card = f"---\nconfigs: {configs}\n---\n".encode()
    publish(hub, "owner/demo", {"README.md": card, "x/b.csv": b"a\n2\n", "x/a.csv": b"a\n1\n"})
    publish(hub, "owner/demo", {"decoy.csv": b"a\n3\n"})
    fetched = get(source(), settings)
    assert [file.path for file in fetched.files] == ["x/a.csv", "x/b.csv"]
    assert fetched.files[1].local.read_bytes() == b"a\n2\n"
    assert not any("decoy" in asked["path"] or "/tree/" in asked["path"] for asked in hub.requests)
    hub.reset()
    again = get(source(), settings, locked=lock(fetched))
    assert [file.path for file in again.files] == ["x/a.csv", "x/b.csv"]
    assert hub.requests == []


def test_a_changed_split_or_list_of_files_is_not_hidden_by_the_lock(
    hub: HubServer, settings: Settings
) -> None:
    publish(hub, "owner/demo", {f"data/{split}.jsonl": PLAIN for split in ("train", "test")})
    train = get(source(), settings)
    test = get(source(split="test"), settings, locked=lock(train))
    assert (test.revision, test.split) == (train.revision, "test")
    assert [file.path for file in test.files] == ["data/test.jsonl"]
    both = source("data/test.jsonl", "data/train.jsonl")
    named = get(both, settings, locked=lock(test))
    assert [file.path for file in named.files] == ["data/test.jsonl", "data/train.jsonl"]
    assert named.split == ""
    again = get(source(), settings, locked=lock(named))
    assert [file.path for file in again.files] == ["data/train.jsonl"]
    hub.reset()
    get(source(), settings, locked=lock(again))
    assert hub.requests == []


def test_the_files_of_a_split_follow_from_their_names(hub: HubServer, settings: Settings) -> None:
    publish(hub, "owner/demo", {f"data/{split}.jsonl": PLAIN for split in ("train", "test")})
    assert [file.path for file in get(source(), settings).files] == ["data/train.jsonl"]
    error = refusal(source(split="validation"), settings, NotFoundError)
    assert "train" in error.hint
    assert "test" in error.hint


def test_a_repository_of_scripts_or_pictures_asks_for_names(
    hub: HubServer, settings: Settings
) -> None:
    publish(hub, "owner/demo", {"demo.py": b"", "notes.md": b""})
    error = refusal(source(), settings, NotFoundError)
    assert error.file == "demo.py"
    assert "Name the files" in error.hint
    publish(hub, "owner/other", {"notes.md": b"", "a.jpg": b""})
    assert (
        "Name the files" in refusal(source(repository="owner/other"), settings, NotFoundError).hint
    )
    publish(hub, "owner/empty", {"notes.md": b""})
    assert (
        "Name the files" in refusal(source(repository="owner/empty"), settings, NotFoundError).hint
    )


# -- URLs --------------------------------------------------------------------------------------


def test_a_url_is_one_file_held_to_its_lock(
    hub: HubServer, demo: Source, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    url = f"{hub.url}/datasets/owner/demo/resolve/main/data.jsonl"
    wanted = source(url=url)
    hub.fail("unavailable")
    first = get(wanted, settings)
    assert (first.origin, first.revision) == (url, None)
    assert [(file.path, file.sha256) for file in first.files] == [
        ("data.jsonl", hashlib.sha256(PLAIN).hexdigest())
    ]
    assert {request["token"] for request in hub.requests} == {None}
    hub.reset()
    cached = get(wanted, settings, locked=lock(first)).files[0]
    assert hub.requests == []
    assert verify(cached, "Demo").sha256 == first.files[0].sha256
    old = lock(first)
    publish(hub, "owner/demo", {"data.jsonl": b"{}\n"})
    assert get(wanted, settings).files[0].size == 3
    cached = get(wanted, settings, locked=old).files[0]
    with pytest.raises(WrongBytesError):
        verify(cached, "Demo")
    remove_damaged(cached)
    assert "--upgrade Demo" in refusal(wanted, settings, WrongBytesError, locked=old).advice


def test_the_signature_of_a_url_is_never_told(
    hub: HubServer, demo: Source, settings: Settings
) -> None:
    plain = f"{hub.url}/datasets/owner/demo/resolve/main/data.jsonl"
    signed = plain.replace("//", "//user:s3cret@") + "?token=s3cret"
    first = get(source(url=signed), settings)
    locked = lock(first)
    assert first.origin == locked.repository == plain
    hub.reset()
    assert get(source(url=signed), settings, locked=locked).files[0].size == len(PLAIN)
    assert hub.requests == []
    anew = get(source(url=f"{plain}?token=another"), settings, locked=locked)
    assert anew.files[0].sha256 == first.files[0].sha256
    other = refusal(
        source(url=signed),
        settings,
        SettingsError,
        locked=LockedSource(
            repository="https://example.org/a.csv?token=s3cret", revision="", files={}
        ),
    )
    errors = [other]
    for kind in ("gated", "missing", "unavailable", "rate-limited", "truncated"):
        hub.reset()
        hub.fail(kind, times=None)
        with pytest.raises(MindcorpusError) as caught:
            get(source(url=signed), settings)
        errors.append(caught.value)
    with pytest.raises(CatalogError) as wrong:
        get(source(url="http://user:s3/cret@host/a.csv"), settings)
    for error in (*errors, wrong.value):
        assert "s3" not in words_of(error)


def test_a_url_that_fails(hub: HubServer, demo: Source, settings: Settings) -> None:
    base = f"{hub.url}/datasets/owner/demo/resolve/main"
    assert refusal(source(url=f"{base}/gone.csv"), settings, NotFoundError).file == "gone.csv"
    hub.fail("gated", times=None)
    refusal(source(url=f"{base}/data.jsonl"), settings, AccessDeniedError)
    with pytest.raises(CatalogError):
        get(source(url=f"{base}/data"), settings)
    with pytest.raises(CatalogError):
        get(source("a.csv", "b.csv", url=f"{base}/data.jsonl"), settings)


# -- local files -------------------------------------------------------------------------------


def local_files(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("{}\n")
    return root


def test_a_folder_laid_out_as_on_the_hub(tmp_path: Path) -> None:
    home = local_files(tmp_path, "part/b.csv", "a.jsonl", "c.csv")
    reports: list[Progress] = []
    fetched = fetch_local(source("part/b.csv", "a.jsonl"), home, report=reports.append)
    assert (fetched.origin, fetched.revision) == ("local", None)
    assert [file.path for file in fetched.files] == ["part/b.csv", "a.jsonl"]
    assert [(file.sha256, file.expected) for file in fetched.files] == [("", "")] * 2
    assert [(progress.done, progress.total) for progress in reports] == [(6, 6)]
    with pytest.raises(NotFoundError, match=r"gone\.csv is not there") as caught:
        fetch_local(source("gone.csv"), home)
    assert "gone.csv" in caught.value.hint


def test_a_folder_of_any_files_is_read_in_their_order(tmp_path: Path) -> None:
    home = local_files(
        tmp_path / "raw",
        "b.csv",
        "a/z.json",
        "README.json",
        ".x.csv",
        ".git/y.csv",
        "n.txt",
        "C.CSV",
    )
    wanted = source(path="raw")
    assert [file.path for file in fetch_local(wanted, home).files] == ["C.CSV", "a/z.json", "b.csv"]
    (tmp_path / "none").mkdir()
    with pytest.raises(NotFoundError, match="no data files"):
        fetch_local(wanted, tmp_path / "none")


def test_a_single_file(tmp_path: Path) -> None:
    home = local_files(tmp_path, "mine.json", "mine.csv", "mine.txt")

    def path(wanted: Source, file: str) -> str:
        return fetch_local(wanted, home / file).files[0].path

    declared = source("data.json")
    assert path(declared, "mine.json") == "data.json"
    assert path(declared, "mine.csv") == "mine.csv"
    assert path(source(path="raw"), "mine.csv") == "mine.csv"
    with pytest.raises(NotFoundError, match="its ending"):
        path(declared, "mine.txt")
    with pytest.raises(NotFoundError, match="has several"):
        path(source("a.csv", "b.csv"), "mine.csv")


def test_what_is_absent_is_told_in_the_sources_own_words(tmp_path: Path) -> None:
    wanted = source(path="raw", absent="Put it there.")
    with pytest.raises(NotFoundError) as caught:
        fetch_local(wanted, tmp_path / "none")
    assert caught.value.hint == "Put it there."


def test_verify_hashes_and_tells_every_byte(tmp_path: Path) -> None:
    content = bytes(2_500_000)
    (tmp_path / "a.csv").write_bytes(content)
    file = FetchedFile("a.csv", tmp_path / "a.csv", len(content))
    reports: list[int] = []
    checked = verify(file, "Demo", reports.append)
    assert checked.sha256 == hashlib.sha256(content).hexdigest()
    assert sum(reports) == len(content)
    assert verify(checked, "Demo", reports.append) is checked
    assert pickle.loads(pickle.dumps((verify, checked))) == (verify, checked)
    (tmp_path / "a.csv").unlink()
    with pytest.raises(NotFoundError):
        verify(file, "Demo")


# -- odd servers -------------------------------------------------------------------------------


def test_what_is_no_hub_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Portal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Portal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        error = refusal(source("a.csv"), settings, HubUnavailableError)
        server.shutdown()
    assert "makes no sense" in error.title


def test_the_http_library_is_that_of_the_hubs_client() -> None:
    # With one that is merely installed as well, no error would be known and no address judged.
    assert isinstance(get_session(), httpx.Client)
    assert issubclass(HfHubHTTPError, httpx.HTTPError)
    assert httpcore.__name__ == httpx.__name__.replace("httpx", "httpcore")
