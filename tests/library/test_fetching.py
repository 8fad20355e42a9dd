"""Merges from the hub: the stand-in serves the sample, and fails as hubs do."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import HOMES, NAME, NAMES, SAMPLE, SHARED, merge_own, own_rows, read_json
from plain_reading import merged, read_native

from mindcorpus.errors import (
    AccessDeniedError,
    HubUnavailableError,
    NotFoundError,
    SettingsError,
    WrongBytesError,
)
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.settings import Settings
from mindcorpus.sources import hub_retries
from mindcorpus.sources.lock import SourcesLock
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from hub_server import HubServer

AMOD = "mental_health_counseling_conversations"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_retries, "BASE_DELAY", 0.02)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
        workers=1,
        fetch_tries=2,
        fetch_timeout=5,
    )


@pytest.fixture
def hub(hub: HubServer) -> HubServer:
    """The hub with the sample's repositories."""
    shutil.copytree(SAMPLE / "datasets", hub.root / "datasets")
    return hub


def get(settings: Settings, **request: Any) -> MergeResult:
    return merge(MergeRequest(**request), settings)


def asked(hub: HubServer) -> set[str]:
    """Give the repositories that were asked for."""
    paths = (request["path"].removeprefix("/api") for request in hub.requests)
    return {"/".join(path.split("/")[2:4]) for path in paths}


def lock(settings: Settings) -> SourcesLock:
    return SourcesLock.read(settings.data_dir / "sources.lock")


def touch(hub: HubServer, name: str) -> None:
    """Add a record to a source on the hub, which makes a new commit."""
    path = hub.root / "datasets" / HOMES[name] / "combined_dataset.json"
    with path.open("a") as file:
        file.write('\n{"Context": "Something new?", "Response": "Yes."}\n')


# What is fetched


def test_the_hub_s_files_give_the_sample_s_corpus_and_redditess_is_a_note(
    hub: HubServer, settings: Settings
) -> None:
    result = get(settings)
    manifest = result.manifest
    assert [entry["name"] for entry in manifest["sources"]] == [
        name for name in NAMES if name != "RedditESS"
    ]
    assert manifest["absent"] == ["RedditESS"]
    assert manifest["missing"] == []
    assert result.missing == ()
    assert "--path RedditESS=FOLDER" in result.notes[-1]
    assert not any("RedditESS" in warning for warning in result.warnings)
    records, _ = merged(list(read_native(SAMPLE / "datasets", settings.data_dir / "none")))
    assert read_json(result.json_path) == records
    for entry in manifest["sources"]:
        owner, name = entry["origin"].split("/")
        assert entry["origin"] == HOMES[entry["name"]]
        assert entry["revision"] == hub.revisions(owner, name)[0].sha


@pytest.mark.skipif(not (SHARED / "hub").is_dir(), reason="the real slices are not here")
def test_the_real_slices_are_merged_from_the_hub(
    hub: HubServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.root = SHARED / "hub"
    reddit = SHARED / "local/RedditESS"
    result = get(settings, paths={"RedditESS": str(reddit)})
    records, _ = merged(list(read_native(SHARED / "hub/datasets", reddit)))
    assert read_json(result.json_path) == records


def test_no_more_is_asked_for_than_the_sources_that_are_merged(
    hub: HubServer, settings: Settings
) -> None:
    get(settings, sources=("TRACE", AMOD))
    assert asked(hub) == {HOMES["TRACE"], HOMES[AMOD]}
    fetched = {request["path"] for request in hub.requests if "/resolve/" in request["path"]}
    assert not any("test.jsonl" in path or "valid" in path for path in fetched)


# The lock


def test_the_first_merge_writes_the_lock_and_later_ones_keep_to_it(
    hub: HubServer, settings: Settings
) -> None:
    first = get(settings, sources=(AMOD,))
    locked = lock(settings).sources[AMOD]
    (entry,) = first.manifest["sources"]
    assert locked.revision == entry["revision"]
    assert {path: file.sha256 for path, file in locked.files.items()} == {
        file["path"]: file["sha256"] for file in entry["files"]
    }
    touch(hub, AMOD)
    hub.reset()
    again = get(settings, sources=(AMOD,), force=True)
    assert again.json_path.read_bytes() == first.json_path.read_bytes()
    assert hub.requests == []


@pytest.mark.parametrize("upgrade", [(AMOD,), ("*",)])
def test_upgrade_moves_the_lock(
    upgrade: tuple[str, ...], hub: HubServer, settings: Settings
) -> None:
    before = get(settings, sources=(AMOD, "TRACE"))
    old = lock(settings)
    touch(hub, AMOD)
    after = get(settings, sources=(AMOD, "TRACE"), upgrade=upgrade, force=True)
    assert after.statistics["by_source"][AMOD] == before.statistics["by_source"][AMOD] + 1
    assert lock(settings).sources[AMOD].revision != old.sources[AMOD].revision
    assert lock(settings).sources["TRACE"] == old.sources["TRACE"]


def test_an_upgrade_that_fails_changes_neither_lock_nor_corpus(
    hub: HubServer, settings: Settings
) -> None:
    before = get(settings, sources=(AMOD, "TRACE"))
    raw, old = before.json_path.read_bytes(), lock(settings)
    touch(hub, AMOD)
    hub.fail("unavailable", match="TRACE", times=None)
    with pytest.raises(HubUnavailableError):
        get(settings, sources=(AMOD, "TRACE"), upgrade=("*",), force=True)
    assert lock(settings) == old
    assert before.json_path.read_bytes() == raw
    assert verify(settings.data_dir) == []


def test_a_given_lock_makes_the_same_corpus_elsewhere(
    hub: HubServer, settings: Settings, tmp_path: Path
) -> None:
    first = get(settings, sources=(AMOD,))
    repository = hub.root / "datasets" / HOMES[AMOD]
    shutil.copytree(repository, repository.with_name(f"{repository.name}@v1"))
    touch(hub, AMOD)
    elsewhere = settings.model_copy(
        update={"data_dir": tmp_path / "other", "cache_dir": tmp_path / "other cache"}
    )
    elsewhere.data_dir.mkdir()
    shutil.copy(settings.data_dir / "sources.lock", elsewhere.data_dir)
    second = get(elsewhere, sources=(AMOD,))
    assert second.json_path.read_bytes() == first.json_path.read_bytes()
    assert second.manifest == first.manifest


def test_a_revision_is_read_at_what_it_names(hub: HubServer, settings: Settings) -> None:
    commit = hub.revisions(*HOMES[AMOD].split("/"))[0].sha
    result = get(settings, sources=(AMOD,), revisions={AMOD: commit})
    assert result.manifest["sources"][0]["revision"] == commit
    with pytest.raises(NotFoundError):
        get(settings, sources=(AMOD,), revisions={AMOD: "0" * 40}, force=True)
    with pytest.raises(SettingsError, match="no revisions"):
        get(settings, sources=("RedditESS",), revisions={"RedditESS": "main"}, force=True)


def test_other_bytes_under_the_locked_commit_are_an_error(
    hub: HubServer, settings: Settings
) -> None:
    get(settings, sources=(AMOD,))
    path = settings.data_dir / "sources.lock"
    path.write_text(re.sub(r'"sha256": "\w{8}', '"sha256": "00000000', path.read_text()))
    with pytest.raises(WrongBytesError):
        get(settings, sources=(AMOD,), force=True)
    assert verify(settings.data_dir) == []


@pytest.mark.parametrize("name", ["paths", "revisions", "upgrade", "sources", "exclude"])
def test_an_unknown_name_is_refused_with_those_that_are_known(
    name: str, settings: Settings
) -> None:
    value: Any = {"Nobody": "x"} if name in ("paths", "revisions") else ("Nobody",)
    with pytest.raises(SettingsError, match="'Nobody'") as caught:
        get(settings, **{name: value})
    assert "TRACE" in caught.value.hint


# Failures


def test_one_failing_source_fails_the_merge_and_only_it_is_asked_for_again(
    hub: HubServer, settings: Settings
) -> None:
    hub.fail("unavailable", match="TRACE", times=None)
    with pytest.raises(HubUnavailableError) as caught:
        get(settings)
    assert caught.value.source == "TRACE"
    assert "--allow-missing" in caught.value.advice
    assert not (settings.data_dir / "artifacts/corpus").exists()
    assert list((settings.data_dir / "staging").iterdir()) == []
    assert set(lock(settings).sources) == {*HOMES} - {"TRACE"}
    hub.reset()
    result = get(settings)
    assert asked(hub) == {HOMES["TRACE"]}
    assert len(result.manifest["sources"]) == 6


def test_a_failing_source_may_be_left_out_and_everything_says_so(
    hub: HubServer, settings: Settings
) -> None:
    hub.fail("gated", match="TRACE", times=None)
    with pytest.raises(AccessDeniedError):
        get(settings)
    result = get(settings, allow_missing=True)
    (missing,) = result.missing
    assert (missing["source"], missing["code"]) == ("TRACE", "access-denied")
    assert missing["hint"]
    on_disk = json.loads(result.manifest_path.read_text("utf-8"))
    assert on_disk["missing"] == [missing]
    assert on_disk["settings"]["allow_missing"] is True
    assert "TRACE" not in on_disk["statistics"]["by_source"]
    assert result.warnings[0].startswith("Published without TRACE: ")
    assert not any("CC BY-NC" in warning for warning in result.warnings)
    assert "Published without TRACE" in (settings.data_dir / f"{NAME}.README.md").read_text("utf-8")


def test_a_second_run_needs_no_network_at_all(
    hub: HubServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = get(settings)
    raw = first.json_path.read_bytes()
    hub.reset()
    hub.fail("unavailable", times=None)
    second = get(settings, force=True)
    assert hub.requests == []
    assert second.json_path.read_bytes() == raw
    assert second.manifest == first.manifest
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert get(settings, force=True).manifest == first.manifest


@pytest.mark.parametrize("locked", [True, False])
def test_wrong_bytes_in_the_cache_are_noticed_and_fetched_again(
    locked: bool, hub: HubServer, settings: Settings
) -> None:
    raw = get(settings, sources=("TRACE",)).json_path.read_bytes()
    assert settings.cache_dir
    (blob,) = (path for path in settings.cache_dir.rglob("blobs/*") if path.stat().st_size > 10_000)
    os.truncate(blob, 5000)
    if not locked:
        (settings.data_dir / "sources.lock").unlink()
    with pytest.raises(WrongBytesError, match="removed"):
        get(settings, sources=("TRACE",), force=True)
    assert get(settings, sources=("TRACE",), force=True).json_path.read_bytes() == raw


def test_a_hub_that_corrupts_or_cuts_is_tried_again(hub: HubServer, settings: Settings) -> None:
    hub.fail("corrupted", match=r"GET .*TRACE/resolve")
    hub.fail("truncated", match=r"GET .*Psych-101/resolve", at=500)
    hub.fail("rate-limited", match="Amod")
    result = get(settings)
    records, _ = merged(list(read_native(SAMPLE / "datasets", settings.data_dir / "none")))
    assert read_json(result.json_path) == records


def test_a_repository_of_a_user_s_own_is_locked_like_the_seven(
    hub: HubServer, settings: Settings, tmp_path: Path
) -> None:
    home = hub.root / "datasets/me/mine"
    home.mkdir(parents=True)
    (home / "data.jsonl").write_text('{"q": "one", "a": "two"}\n')
    entry = Path(own_rows(tmp_path, "mine", []))
    entry.write_text(
        entry.read_text()
        .replace('path = "."', 'repository = "me/mine"')
        .replace("mine.jsonl", "data.jsonl")
    )
    result = merge(MergeRequest(sources=("mine",), catalogs=(str(entry),)), settings)
    assert result.statistics["by_source"] == {"mine": 1}
    assert lock(settings).sources["mine"].repository == "me/mine"
    local = own_rows(tmp_path, "other", [{"q": "three", "a": "four"}])
    assert merge_own(tmp_path / "more", local).statistics["by_source"] == {"other": 1}
