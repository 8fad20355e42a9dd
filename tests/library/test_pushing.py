"""What may be pushed, and to where: targets, checks and the licence gate; folders and storages."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import pytest
from corpora import digests, merge_own, merge_sample, own_rows

import mindcorpus
from mindcorpus import remedies
from mindcorpus.errors import (
    ArtifactError,
    CancelledError,
    CorruptArtifactError,
    LicenceError,
    NoCorpusError,
    PushDeniedError,
    PushError,
    SettingsError,
    StorageError,
)
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import prepare
from mindcorpus.progress import Cancellation, Progress
from mindcorpus.pushing import places
from mindcorpus.pushing.parcels import ParcelFile
from mindcorpus.pushing.targets import Place, Repository, read_target
from mindcorpus.settings import Settings
from mindcorpus.storage.licences import LICENCES

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)


# Targets


def test_a_target_is_a_repository_a_storage_or_a_folder(tmp_path: Path) -> None:
    assert read_target("owner/name.of-it") == Repository("owner/name.of-it")
    assert read_target("s3://bucket/a/b/") == Place("s3://bucket/a/b", "s3")
    assert read_target("gs://bucket") == Place("gs://bucket", "gs")
    assert read_target("az://container/x") == Place("az://container/x", "az")
    assert read_target(str(tmp_path)) == Place(str(tmp_path))
    assert read_target("./out") == Place(str(Path.cwd() / "out"))
    assert read_target("~/out") == Place(str(Path.home() / "out"))


@pytest.mark.parametrize(
    "target", ["", "name", "a/b/c", "s3://", "ftp://host/x", "https://huggingface.co/a/b", "a/ b"]
)
def test_what_is_no_target_is_told(target: str) -> None:
    with pytest.raises(SettingsError, match="no place to push to") as caught:
        read_target(target)
    assert "OWNER/NAME" in caught.value.hint


def test_a_name_that_is_a_folder_here_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("out/data").mkdir(parents=True)
    with pytest.raises(SettingsError, match="and is a folder here") as caught:
        read_target("out/data")
    assert "./out/data" in caught.value.hint


# What may be pushed


def test_nothing_there_or_no_such_format_is_told(tmp_path: Path) -> None:
    for format_, kind in ((None, NoCorpusError), ("openai", NoCorpusError), ("x", SettingsError)):
        with pytest.raises(kind):
            mindcorpus.push(str(tmp_path / "out"), tmp_path, format=format_)
    assert not (tmp_path / "out").exists()


def test_an_outdated_export_is_refused(tmp_path: Path) -> None:
    merge_sample(tmp_path)
    prepare(PrepareRequest(format="openai"), Settings(data_dir=tmp_path))
    merge_sample(tmp_path, exclude=("TRACE",), force=True)
    with pytest.raises(ArtifactError, match="openai export is outdated") as caught:
        mindcorpus.push(str(tmp_path / "out"), tmp_path, format="openai")
    assert caught.value.remedy == remedies.Prepare("openai")
    assert not (tmp_path / "out").exists()


def test_a_file_of_other_bytes_is_not_sent(copied: Path, tmp_path: Path) -> None:
    path = copied / "artifacts/openai/mental_health_openai.jsonl"
    text = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(text.replace(b"user", b"usar", 1))
    with pytest.raises(CorruptArtifactError, match="not what the manifest says") as caught:
        mindcorpus.push(str(tmp_path / "out"), copied, format="openai")
    assert caught.value.file == str(path.resolve())
    assert not (tmp_path / "out").exists()


def test_an_artifact_of_an_earlier_release_is_to_be_made_again(
    copied: Path, tmp_path: Path
) -> None:
    path = copied / "artifacts/corpus/manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["outputs"] = [each for each in manifest["outputs"] if "croissant" not in each["path"]]
    path.write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="earlier release") as caught:
        mindcorpus.push(str(tmp_path / "out"), copied)
    assert caught.value.remedy == remedies.Remake()


# The licence gate


def test_what_a_licence_does_not_let_be_handed_on_is_not_made_public(
    sample: Made, tmp_path: Path
) -> None:
    with pytest.raises(LicenceError) as caught:
        mindcorpus.push(str(tmp_path / "out"), sample.data_dir, public=True)
    assert "RedditESS (LicenseRef-None forbids it)" in caught.value.title
    assert "(LicenseRef-RAIL-D is not known to allow it)" in caught.value.title
    assert "TRACE" not in caught.value.title
    assert (
        "`mindcorpus merge --exclude mental_health_counseling_conversations --exclude RedditESS`"
        in caught.value.hint
    )
    with pytest.raises(LicenceError) as caught:
        mindcorpus.push(str(tmp_path / "out"), sample.data_dir, format="openai", public=True)
    assert "`mindcorpus prepare openai --exclude" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_without_these_sources_it_may_be_public(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    left_out = ("RedditESS", "mental_health_counseling_conversations")
    merge_sample(tmp_path / "data")
    prepare(PrepareRequest(format="openai", exclude=left_out), Settings(data_dir=tmp_path / "data"))
    mindcorpus.push(out, tmp_path / "data", format="openai", public=True)
    with pytest.raises(LicenceError):
        mindcorpus.push(out, tmp_path / "data", public=True)
    merge_sample(tmp_path / "data", exclude=left_out, force=True)
    assert mindcorpus.push(out, tmp_path / "data", public=True).rows > 0


def test_a_source_of_one_s_own_that_says_nothing_of_it_is_held_back(tmp_path: Path) -> None:
    entry = own_rows(tmp_path / "own", "mine", [{"q": "Hello?", "a": "Hello."}])
    merge_own(tmp_path / "data", entry)
    with pytest.raises(LicenceError, match=r"mine \(CC0-1.0 is not known to allow it\)"):
        mindcorpus.push(str(tmp_path / "out"), tmp_path / "data", public=True)
    text = Path(entry).read_text("utf-8")
    Path(entry).write_text(f'{text}redistribution = "allowed"\n', "utf-8")
    merge_own(tmp_path / "data", entry, force=True)
    assert mindcorpus.push(str(tmp_path / "out"), tmp_path / "data", public=True).rows == 1


# Folders


def test_a_folder_holds_a_folder_for_each_push_that_is_its_owner_s_alone(
    sample: Made, tmp_path: Path
) -> None:
    out = tmp_path / "deep/out"
    for kind in (None, "huggingface", "huggingface"):
        done = mindcorpus.push(str(out), sample.data_dir, format=kind)
        held = Path(done.address)
        assert held.parent == out
        assert held.name.startswith(f"{done.build}-")
        assert digests(held) == digests(sample.data_dir / "artifacts" / (kind or "corpus"))
        assert LICENCES in digests(held)
        assert (done.kind, done.rows) == (kind or "corpus", 377 if kind else 489)
        assert (done.files, done.public, done.commit) == (len(digests(held)), None, None)
    assert len(list(out.iterdir())) == 3
    for path in (out, *out.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_the_manifest_comes_last_and_what_is_cancelled_is_removed(
    sample: Made, tmp_path: Path
) -> None:
    order: list[str] = []
    cancel = Cancellation()

    def follow(progress: Progress) -> None:
        if progress.stage == "publish":
            order.append(progress.item)
            if progress.item == "README.md":
                cancel.cancel()

    mindcorpus.push(str(tmp_path / "out"), sample.data_dir, report=follow)
    assert list(dict.fromkeys(order))[-1] == "manifest.json"
    before = digests(tmp_path / "out")
    with pytest.raises(CancelledError):
        mindcorpus.push(str(tmp_path / "out"), sample.data_dir, report=follow, cancel=cancel)
    assert digests(tmp_path / "out") == before


def test_cancelling_while_it_is_sent_leaves_nothing(sample: Made, tmp_path: Path) -> None:
    cancel = Cancellation()

    def stop(progress: Progress) -> None:
        if progress.stage == "publish" and progress.item == "README.md":
            cancel.cancel()

    with pytest.raises(CancelledError):
        mindcorpus.push(str(tmp_path / "out"), sample.data_dir, report=stop, cancel=cancel)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(sample: Made, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        mindcorpus.push(str(tmp_path / "file/out"), sample.data_dir)


# Storages


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A storage of S3's kind with one bucket, `shared`; its address."""
    from moto.server import ThreadedMotoServer

    _forget_keys(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "up")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    # What it holds outlives it, within a process.
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    _s3().mkdir("shared")
    yield f"http://{host}:{port}"
    server.stop()


def _forget_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def _s3() -> Any:
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    return s3fs.S3FileSystem(skip_instance_cache=True)


def _held(prefix: str) -> dict[str, bytes]:
    system = _s3()
    return {path.removeprefix(f"{prefix}/"): system.cat_file(path) for path in system.find(prefix)}


def test_a_storage_holds_a_prefix_for_each_push(storage: str, sample: Made) -> None:
    for kind in (None, "openai", "openai"):
        done = mindcorpus.push("s3://shared/corpora", sample.data_dir, format=kind)
        folder = sample.data_dir / "artifacts" / (kind or "corpus")
        held = _held(done.address.removeprefix("s3://"))
        assert held == {name: (folder / name).read_bytes() for name in digests(folder)}
    assert len(_s3().ls("shared/corpora")) == 3


def test_a_large_file_goes_in_parts_and_none_stay_of_one_that_was_stopped(
    storage: str, tmp_path: Path
) -> None:
    rows = [{"q": f"{at} " + "é" * 40_000, "a": "x" * 90_000} for at in range(100)]
    entry = own_rows(tmp_path / "own", "mine", rows)
    merge_own(tmp_path / "data", entry)
    cancel = Cancellation()

    def stop(progress: Progress) -> None:
        if progress.stage == "publish" and progress.done > 12 << 20:
            cancel.cancel()

    with pytest.raises(CancelledError):
        mindcorpus.push("s3://shared/x", tmp_path / "data", report=stop, cancel=cancel)
    system = _s3()
    assert system.find("shared") == []
    assert "Uploads" not in system.call_s3("list_multipart_uploads", Bucket="shared")
    done = mindcorpus.push("s3://shared/x", tmp_path / "data")
    assert done.bytes > 20 << 20
    held = _held(done.address.removeprefix("s3://"))
    folder = tmp_path / "data/artifacts/corpus"
    assert held == {name: (folder / name).read_bytes() for name in digests(folder)}


def test_a_bucket_that_is_not_there_is_told(storage: str, sample: Made) -> None:
    with pytest.raises(PushError, match="there is no s3://elsewhere/x"):
        mindcorpus.push("s3://elsewhere/x", sample.data_dir)


def test_a_storage_without_keys_or_its_package_is_told(
    sample: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    _forget_keys(monkeypatch)
    _s3()
    with pytest.raises(PushDeniedError, match="does not let us write"):
        mindcorpus.push("s3://shared/x", sample.data_dir)
    with pytest.raises(SettingsError, match="az:// is not installed") as caught:
        mindcorpus.push("az://shared/x", sample.data_dir)
    assert caught.value.hint == "pip install 'mindcorpus[az]'"


def test_what_came_short_is_no_push(
    sample: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = places._copy

    def short(file: ParcelFile, opened: Any, telling: Any) -> None:
        copy(file, opened, telling)
        if file.path == "README.md":
            opened.truncate(10)

    monkeypatch.setattr(places, "_copy", short)
    with pytest.raises(PushError, match=r"README.md has 10 bytes there"):
        mindcorpus.push(str(tmp_path / "out"), sample.data_dir)
    assert list((tmp_path / "out").iterdir()) == []
