"""/artifacts: what there is to download, and nothing else, however it is asked for."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_numbers import KEPT

from mindcorpus.api import merge_all_datasets
from mindcorpus.formats.registry import FORMATS as ENTRIES
from mindcorpus.storage.kinds import CORPUS

if TYPE_CHECKING:
    import httpx2

JSON = f"{CORPUS}.json"
PARQUET = f"{CORPUS}.parquet"
OPENAI = ENTRIES["openai"].kind.path
HUGGINGFACE = ENTRIES["huggingface"].kind.path


@pytest.fixture
def files(asking: httpx2.Client, corpus: Path) -> dict[str, dict[str, Any]]:
    listed = asking.get("/artifacts").raise_for_status().json()["artifacts"]
    return {file["path"]: file for kind in listed.values() for file in kind}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_nothing_is_listed_at_first(asking: httpx2.Client) -> None:
    answer = asking.get("/artifacts").json()
    assert answer == {"artifacts": {kind: [] for kind in ("corpus", "split", *ENTRIES)}}
    assert asking.get(f"/artifacts/{JSON}").json()["code"] == "artifact-not-found"


def test_every_file_is_what_the_list_says(
    asking: httpx2.Client, corpus: Path, files: dict[str, dict[str, Any]]
) -> None:
    assert {JSON, OPENAI, f"{PARQUET}/part-00000.parquet", f"{HUGGINGFACE}/manifest.json"} < {
        *files
    }
    for path, file in files.items():
        answer = asking.get(file["url"].removeprefix("/api/ai/data"))
        assert answer.status_code == 200
        assert len(answer.content) == file["bytes"] == int(answer.headers["Content-Length"])
        assert answer.headers["Content-Type"].partition(";")[0] == file["media_type"]
        name = path.rpartition("/")[2] + (".tar" if file["folder"] else "")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        if not file["folder"]:
            assert answer.content == (corpus / path).read_bytes()
            assert sha256(answer.content) == file["sha256"]
            assert answer.headers["ETag"] == f'"{file["sha256"]}"'
            digest = base64.b64encode(bytes.fromhex(file["sha256"])).decode()
            assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"


def test_media_types_are_the_registered_ones(files: dict[str, dict[str, Any]]) -> None:
    by_suffix = {
        Path(path).suffix: file["media_type"] for path, file in files.items() if not file["folder"]
    }
    assert by_suffix == {
        ".json": "application/json",
        ".csv": "text/csv",
        ".jsonl": "application/jsonl",
        ".parquet": "application/vnd.apache.parquet",
        ".arrow": "application/vnd.apache.arrow.stream",
        ".md": "text/markdown",
    }


def test_rows_are_those_of_the_manifest(files: dict[str, dict[str, Any]]) -> None:
    assert files[JSON]["rows"] == KEPT
    assert files[f"{CORPUS}.manifest.json"]["rows"] is None


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-99", 10, 100),
        ("bytes=100-", 100, None),
        ("bytes=-7", -7, None),
        ("bytes=5-99999999999", 5, None),
        ("bytes=-99999999999", 0, None),
    ],
)
def test_a_range_is_sent_alone(
    asking: httpx2.Client, corpus: Path, wanted: str, start: int, stop: int | None
) -> None:
    whole = (corpus / JSON).read_bytes()
    expected = whole[start:stop]
    answer = asking.get(f"/artifacts/{JSON}", headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, expected)
    first = start % len(whole) if start < 0 else start
    span = f"bytes {first}-{first + len(expected) - 1}/{len(whole)}"
    assert answer.headers["Content-Range"] == span
    assert answer.headers["Content-Length"] == str(len(expected))
    assert answer.headers["Repr-Digest"].endswith(":")


@pytest.mark.parametrize("wanted", ["bytes=999999999-", "bytes=999999999-9999999999", "bytes=-0"])
def test_a_range_outside_of_the_file_is_refused(
    asking: httpx2.Client, corpus: Path, wanted: str
) -> None:
    answer = asking.get(f"/artifacts/{JSON}", headers={"Range": wanted})
    assert (answer.status_code, answer.json()["code"]) == (416, "range-not-satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{(corpus / JSON).stat().st_size}"


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,5-6", "lines=1-2", "bytes", "bytes=b-a", "bytes=9-1"]
)
def test_what_is_not_one_range_gets_all_of_the_file(
    asking: httpx2.Client, corpus: Path, wanted: str
) -> None:
    answer = asking.get(f"/artifacts/{JSON}", headers={"Range": wanted})
    assert answer.status_code == 200
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_range_of_another_file_gets_all_of_this(asking: httpx2.Client, corpus: Path) -> None:
    etag = asking.head(f"/artifacts/{JSON}").headers["ETag"]
    for condition, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        headers = {"Range": "bytes=0-9", "If-Range": condition}
        assert asking.get(f"/artifacts/{JSON}", headers=headers).status_code == status


def test_what_the_client_has_is_not_sent_again(asking: httpx2.Client, corpus: Path) -> None:
    for path in (JSON, HUGGINGFACE):
        etag = asking.head(f"/artifacts/{path}").headers["ETag"]
        for known in (etag, f'"other", {etag}', "*"):
            headers = {"If-None-Match": known, "Range": "bytes=0-9"}
            answer = asking.get(f"/artifacts/{path}", headers=headers)
            assert (answer.status_code, answer.content) == (304, b"")
        other = asking.get(f"/artifacts/{path}", headers={"If-None-Match": '"other"'})
        assert other.status_code == 200


def test_head_tells_all_but_the_bytes(asking: httpx2.Client, corpus: Path) -> None:
    answer = asking.head(f"/artifacts/{JSON}")
    assert answer.headers["Content-Length"] == str((corpus / JSON).stat().st_size)
    assert answer.content == b""


def test_a_folder_is_one_archive(asking: httpx2.Client, corpus: Path) -> None:
    for path in (HUGGINGFACE, PARQUET, f"{HUGGINGFACE}/train"):
        answer = asking.get(f"/artifacts/{path}")
        again = asking.get(f"/artifacts/{path}")
        assert answer.content == again.content
        assert answer.headers["ETag"] == again.headers["ETag"]
        assert answer.headers["Accept-Ranges"] == "none"
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            members = archive.getmembers()
            assert {(member.mtime, member.uid, member.mode) for member in members} == {
                (0, 0, 0o644)
            }
            found = {
                member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in members
            }
        name = path.rpartition("/")[2]
        assert found == {
            f"{name}/{file.relative_to(corpus / path)}": file.read_bytes()
            for file in (corpus / path).rglob("*")
            if file.is_file()
        }


@pytest.mark.parametrize(
    "path",
    [
        "sources.lock",
        "artifacts",
        "artifacts/corpus/manifest.json",
        ".service/tokens.json",
        "staging",
        "manifest.json",
        "../../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/etc/passwd",
        f"{HUGGINGFACE}/..%2fsources.lock",
        f"{HUGGINGFACE}/%2e%2e/sources.lock",
        f"{HUGGINGFACE}/./manifest.json",
        f"{HUGGINGFACE}//manifest.json",
        f"{HUGGINGFACE}/",
        f"{HUGGINGFACE}/train/",
        f"{HUGGINGFACE}/nothing",
        f"{HUGGINGFACE}\\manifest.json",
        f"{HUGGINGFACE}%5cmanifest.json",
        f"{HUGGINGFACE}/manifest.json%00.txt",
        "%00",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        f"{JSON}/",
        f"{JSON}/x",
        f"{JSON}%0d%0aX-Evil:1",
        JSON.upper(),
        "%ff%fe",
        "a" * 3000,
    ],
)
def test_no_path_leads_elsewhere(asking: httpx2.Client, corpus: Path, path: str) -> None:
    (corpus / ".service").mkdir()
    (corpus / ".service" / "tokens.json").write_text("hidden")
    # Not through our client: it would tidy the address up.
    connection = HTTPConnection(asking.base_url.host, asking.base_url.port)
    connection.request(
        "GET",
        f"/api/ai/data/artifacts/{path}",
        headers={"Authorization": asking.headers["Authorization"]},
    )
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status in (400, 404), text[:200]
    assert "root:" not in text
    assert "hidden" not in text
    assert answer.headers["X-Evil"] is None


def test_a_link_within_an_artifact_is_not_followed(asking: httpx2.Client, corpus: Path) -> None:
    secret = corpus / "secret"
    secret.write_bytes(b"x" * (corpus / OPENAI).stat().st_size)
    file = (corpus / OPENAI).resolve()
    file.unlink()
    file.symlink_to(secret)
    answer = asking.get(f"/artifacts/{OPENAI}")
    assert (answer.status_code, answer.json()["code"]) == (500, "corrupt-artifact")
    train = (corpus / HUGGINGFACE / "train").resolve()
    shutil.move(train, corpus / "elsewhere")
    train.symlink_to(corpus / "elsewhere")
    assert asking.get(f"/artifacts/{HUGGINGFACE}/train/state.json").status_code == 500


def test_a_manifest_cannot_name_what_is_outside(asking: httpx2.Client, corpus: Path) -> None:
    (corpus / "secret").write_text("secret")
    manifest = corpus / "artifacts" / "huggingface" / "manifest.json"
    content = json.loads(manifest.read_text())
    for path in ("../../secret", "/etc/passwd"):
        size = len("secret")
        content["outputs"] = [{"path": path, "bytes": size, "sha256": "0" * 64, "rows": 0}]
        manifest.write_text(json.dumps(content))
        for file in asking.get("/artifacts").json()["artifacts"]["huggingface"]:
            answer = asking.get(file["url"].removeprefix("/api/ai/data"))
            assert answer.text != "secret"
            assert "root:" not in answer.text


def test_a_file_that_was_cut_is_not_sent(asking: httpx2.Client, corpus: Path) -> None:
    file = (corpus / JSON).resolve()
    file.write_bytes(file.read_bytes()[:-1])
    answer = asking.get(f"/artifacts/{JSON}")
    assert (answer.status_code, answer.json()["code"]) == (500, "corrupt-artifact")


def test_a_download_is_of_one_artifact_while_others_are_published(
    asking: httpx2.Client, corpus: Path
) -> None:
    over = threading.Event()

    def publish() -> None:
        exclude: Iterator[tuple[str, ...]] = iter(((), ("TRACE",)) * 4)
        for names in exclude:
            merge_all_datasets(corpus, sample=True, exclude=names, force=True)
        over.set()

    publisher = threading.Thread(target=publish)
    publisher.start()
    seen = set()
    while not over.is_set():
        answer = asking.get(f"/artifacts/{JSON}")
        assert answer.status_code == 200
        assert f'"{sha256(answer.content)}"' == answer.headers["ETag"]
        seen.add(answer.headers["ETag"])
        assert asking.get("/artifacts").status_code == 200
        assert asking.get("/records", params={"limit": 1}).status_code == 200
        assert asking.get("/records/0").status_code == 200
        assert asking.get("/merge").status_code == 200
    publisher.join()
    assert len(seen) == 2
