"""Pushes by the hub's own client to the stand-in: one commit or nothing, and every refusal told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import digests, merge_sample
from hub_uploads import OWNER, TOKEN, Uploads, let_write
from huggingface_hub import CommitOperationAdd, HfApi

import mindcorpus
from mindcorpus.errors import (
    CancelledError,
    ExistsError,
    LicenceError,
    MindcorpusError,
    PushDeniedError,
    PushError,
    SettingsError,
)
from mindcorpus.progress import Cancellation, Progress
from mindcorpus.pushing.bodies import Body
from mindcorpus.pushing.parcels import ParcelFile
from mindcorpus.pushing.push import PushResult
from mindcorpus.settings import Settings
from mindcorpus.sources import hub_retries

if TYPE_CHECKING:
    from hub_server import HubServer
    from made_sample import Made

pytest_plugins = ("made_sample",)
# The hub's client hands a stream to its HTTP library in a way that this one will not take for ever.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

HOME = f"{OWNER}/corpus"
_LEFT_OUT = ("RedditESS", "mental_health_counseling_conversations")


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_retries, "BASE_DELAY", 0.02)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def uploads(hub: HubServer) -> Uploads:
    return let_write(hub)


@pytest.fixture
def send(sample: Made) -> Callable[..., PushResult]:
    """Push an artifact of the sample; `choices` are those of `mindcorpus.push`."""

    def push(target: str = HOME, data_dir: Path = sample.data_dir, **choices: Any) -> PushResult:
        settings = Settings(data_dir=data_dir, fetch_tries=3, fetch_timeout=5)
        return mindcorpus.push(target, settings=settings, **choices)

    return push


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in digests(folder)}


def held(uploads: Uploads, repository: str = HOME) -> dict[str, bytes]:
    files = uploads.files(repository)
    del files[".gitattributes"]
    return files


# What comes of a push


@pytest.mark.parametrize("kind", ["corpus", "openai", "huggingface"])
def test_one_commit_holds_all_files_in_a_private_repository(
    kind: str, sample: Made, uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    done = send(format=None if kind == "corpus" else kind)
    folder = sample.data_dir / "artifacts" / kind
    assert held(uploads) == contents(folder)
    (commit,) = uploads.commits
    assert set(commit["files"]) == set(digests(folder))
    assert commit["title"] == f"Push the {kind} with mindcorpus {mindcorpus.__version__}"
    large = {path for path, key in commit["files"].items() if key == "lfsFile"}
    assert large == {name for name in digests(folder) if name.endswith((".parquet", ".arrow"))}
    assert uploads.public == set()
    assert done.address == f"{uploads.hub.url}/datasets/{HOME}"
    assert (done.kind, done.public, done.changed) == (kind, False, True)
    assert done.files == len(digests(folder))
    assert not [asked for asked in uploads.hub.requests if "xet" in asked["path"]]


def test_what_was_pushed_is_loaded_from_the_hub(
    sample: Made, uploads: Uploads, send: Callable[..., PushResult], tmp_path: Path
) -> None:
    from datasets import load_dataset

    send()
    folder = uploads.folder(HOME)
    rows = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.num_rows == sample.merged.manifest["rows"]


def test_the_same_once_more_is_no_commit(uploads: Uploads, send: Callable[..., PushResult]) -> None:
    first, second = send(), send()
    assert len(uploads.commits) == 1
    assert (second.commit, second.changed) == (first.commit, False)


def test_what_an_earlier_push_left_goes_in_the_same_commit_and_nothing_else(
    uploads: Uploads, send: Callable[..., PushResult], tmp_path: Path
) -> None:
    send()
    (uploads.folder(HOME) / "NOTES.txt").write_text("mine")
    merge_sample(tmp_path / "other", sources=("TRACE",))
    send(data_dir=tmp_path / "other")
    left = {name for name in uploads.commits[0]["files"] if name not in uploads.commits[1]["files"]}
    parts = {name for name in uploads.commits[0]["files"] if ".parquet/" in name}
    assert set(uploads.commits[1]["deleted"]) == parts - {
        "merged_mental_health_dataset.parquet/part-00000.parquet"
    }
    assert set(uploads.commits[1]["deleted"]) <= left
    now = held(uploads)
    assert now.pop("NOTES.txt") == b"mine"
    assert now == contents(tmp_path / "other/artifacts/corpus")


def test_progress_is_told_in_bytes_up_to_the_whole(
    uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    told: list[Progress] = []
    done = send(report=told.append)
    sent = [event for event in told if event.stage == "publish"]
    assert [event.done for event in sent] == sorted(event.done for event in sent)
    assert (sent[-1].done, sent[-1].total) == (done.bytes, done.bytes)
    assert {event.stage for event in told} == {"check", "publish"}


# Public and private


def test_public_is_what_is_asked_for_and_licences_allow(
    uploads: Uploads, send: Callable[..., PushResult], tmp_path: Path
) -> None:
    with pytest.raises(LicenceError):
        send(public=True)
    assert uploads.hub.requests == []
    merge_sample(tmp_path / "free", exclude=_LEFT_OUT)
    assert send(data_dir=tmp_path / "free", public=True).public
    assert uploads.public == {HOME}


def test_a_public_repository_is_not_filled_by_accident(
    uploads: Uploads, send: Callable[..., PushResult], tmp_path: Path
) -> None:
    uploads.make(HOME, public=True)
    with pytest.raises(LicenceError, match="RedditESS"):
        send()
    merge_sample(tmp_path / "free", exclude=_LEFT_OUT)
    with pytest.raises(PushError, match=f"{HOME} is public") as caught:
        send(data_dir=tmp_path / "free")
    assert "--public" in caught.value.hint
    assert held(uploads) == {}
    assert send(data_dir=tmp_path / "free", public=True).public


def test_a_private_repository_stays_private(
    uploads: Uploads, send: Callable[..., PushResult], tmp_path: Path
) -> None:
    uploads.make(HOME)
    merge_sample(tmp_path / "free", exclude=_LEFT_OUT)
    assert send(data_dir=tmp_path / "free", public=True).public is False


# What is in the way


def test_files_of_others_are_not_replaced(
    uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    uploads.make(HOME, README_md=b"# Mine")
    with pytest.raises(ExistsError, match=r"holds a README.md that no push left there"):
        send()
    assert held(uploads) == {"README.md": b"# Mine"}
    uploads.make(f"{OWNER}/second", manifest_json=b'{"kind": []}')
    with pytest.raises(ExistsError, match=r"holds a manifest.json that no push left there"):
        send(f"{OWNER}/second")
    assert uploads.commits == []


def test_a_repository_holds_one_artifact(uploads: Uploads, send: Callable[..., PushResult]) -> None:
    send()
    before = held(uploads)
    with pytest.raises(ExistsError, match="holds the corpus of an earlier push"):
        send(format="openai")
    assert held(uploads) == before


# Refusals and faults


def test_without_a_token_nobody_is_asked(
    uploads: Uploads, send: Callable[..., PushResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(PushDeniedError, match="there is no token for the hub") as caught:
        send()
    assert "HF_TOKEN" in caught.value.hint
    assert uploads.hub.requests == []


def test_offline_nobody_is_asked(
    uploads: Uploads, send: Callable[..., PushResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(PushError, match="HF_HUB_OFFLINE"):
        send()
    assert uploads.hub.requests == []


@pytest.mark.parametrize(
    ("token", "target", "words"),
    [
        ("hf_wrong", HOME, "does not take the token"),
        (TOKEN, "somebody/corpus", "may not write to somebody/corpus"),
        ("hf_ü", HOME, "holds characters that no token has"),
    ],
)
def test_a_token_that_may_not_is_told(
    token: str,
    target: str,
    words: str,
    uploads: Uploads,
    send: Callable[..., PushResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(MindcorpusError, match=words) as caught:
        send(target)
    assert isinstance(caught.value, PushDeniedError | SettingsError)
    assert token not in str(caught.value) + caught.value.hint
    assert uploads.repositories() == []


def test_a_repository_of_others_that_is_there_is_told(
    uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    uploads.make("somebody/corpus")
    with pytest.raises(PushDeniedError, match="may not write to somebody/corpus"):
        send("somebody/corpus")
    assert held(uploads, "somebody/corpus") == {}


@pytest.mark.parametrize(
    "where",
    [
        "POST .*/preupload/",
        "PUT /lfs/",
        "POST .*/batch",
        "POST .*/verify",
        "POST .*/commit/",
        "GET /api/",
    ],
)
@pytest.mark.parametrize("kind", ["unavailable", "rate-limited"])
def test_what_passes_is_tried_again(
    kind: str, where: str, sample: Made, uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    uploads.hub.fail(kind, match=where, times=2)
    send()
    assert held(uploads) == contents(sample.data_dir / "artifacts/corpus")
    assert len(uploads.commits) == 1


@pytest.mark.parametrize(
    "where",
    ["POST .*/preupload/", "PUT /lfs/", "POST .*/batch", "POST .*/commit/"],
)
def test_what_does_not_pass_leaves_nothing(
    where: str, uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    uploads.hub.fail("unavailable", match=where, times=None)
    with pytest.raises(PushError, match="the hub answered 503 SERVICE UNAVAILABLE, 3 times"):
        send()
    assert uploads.repositories() == []
    assert (uploads.commits, uploads.deleted) == ([], [HOME])


def test_a_commit_that_fails_leaves_a_repository_as_it_was(
    uploads: Uploads, send: Callable[..., PushResult], tmp_path: Path
) -> None:
    send()
    before = held(uploads)
    merge_sample(tmp_path / "other", sources=("TRACE",))
    uploads.hub.fail("gated", match="POST .*/commit/", times=None)
    with pytest.raises(PushDeniedError):
        send(data_dir=tmp_path / "other")
    assert held(uploads) == before
    assert (len(uploads.commits), uploads.deleted) == (1, [])


def test_a_commit_whose_answer_is_lost_counts_once(
    uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    uploads.lost = 1
    done = send()
    (commit,) = uploads.commits
    assert done.commit == commit["sha"]
    assert uploads.lost == 0


def test_what_others_change_meanwhile_is_not_overwritten(
    uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    uploads.make(HOME)

    def meddle(progress: Progress) -> None:
        if progress.item == "manifest.json" and not (uploads.folder(HOME) / "other").exists():
            (uploads.folder(HOME) / "other").write_text("by somebody else")

    with pytest.raises(PushError, match="was changed while this was sent"):
        send(report=meddle)
    assert held(uploads) == {"other": b"by somebody else"}


def test_cancelling_leaves_nothing(uploads: Uploads, send: Callable[..., PushResult]) -> None:
    cancel = Cancellation()

    def stop(progress: Progress) -> None:
        if progress.stage == "publish" and "part-00003" in progress.item:
            cancel.cancel()

    with pytest.raises(CancelledError):
        send(report=stop, cancel=cancel)
    assert uploads.repositories() == []
    assert uploads.commits == []


def test_cancelling_ends_a_request_that_hangs(
    uploads: Uploads, send: Callable[..., PushResult]
) -> None:
    cancel = Cancellation()
    uploads.hub.fail("slow", match="POST .*/preupload/", seconds=20)
    began = time.monotonic()

    def stop(progress: Progress) -> None:
        if progress.stage == "publish":
            cancel.cancel()

    with pytest.raises(CancelledError):
        send(report=stop, cancel=cancel)
    assert time.monotonic() - began < 10


def test_a_file_on_its_way_is_read_no_further_once_somebody_cancels(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    cancel = Cancellation()
    body = Body(ParcelFile("file", tmp_path / "file", 10, ""), cancel)
    assert (body.read(4), body.read(2), body.tell(), body.seek(-3, 2)) == (b"0123", b"45", 6, 7)
    assert (body.read(), body.read(), body.sent) == (b"789", b"", 10)
    cancel.cancel()
    with pytest.raises(CancelledError):
        body.read(1)


def test_a_card_that_the_hub_refuses_is_told(
    uploads: Uploads, send: Callable[..., PushResult], copied: Path
) -> None:
    folder = copied / "artifacts/openai"
    card = (folder / "README.md").read_bytes().replace(b"license: other", b"license: wrong")
    (folder / "README.md").write_bytes(card)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    found = digests(folder)
    for output in manifest["outputs"]:
        output["sha256"] = found[output["path"]]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(PushError, match="does not take the card's head"):
        send(data_dir=copied, format="openai")
    assert uploads.repositories() == []


def test_the_stand_in_takes_what_any_client_commits(uploads: Uploads, hub: HubServer) -> None:
    api = HfApi(endpoint=hub.url, token=TOKEN)
    api.create_repo(HOME, repo_type="dataset", private=True)
    addition = CommitOperationAdd("a/b.txt", b"text")
    api.create_commit(HOME, [addition], repo_type="dataset", commit_message="One")
    assert held(uploads) == {"a/b.txt": b"text"}
    api.delete_repo(HOME, repo_type="dataset")
    assert uploads.repositories() == []
