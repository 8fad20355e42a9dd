"""A download: gone on with where it stopped, checked, and there whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from faulty_service import FaultyService, hang_up, refuse, send

from mindcorpus import errors
from mindcorpus.client import connection
from mindcorpus.client.service import ServiceClient
from mindcorpus.progress import Cancellation, Progress

ADDRESS = "GET /artifacts/a.json"
WHOLE = bytes(range(256)) * 4000
OTHER = WHOLE[::-1]


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_FIRST_PAUSE", 0.001)


@pytest.fixture
def service() -> Iterator[FaultyService]:
    with FaultyService() as running:
        yield running


@pytest.fixture
def client(service: FaultyService) -> Iterator[ServiceClient]:
    with ServiceClient(service.url, timeout=5) as made:
        yield made


def part(
    content: bytes = WHOLE,
    upto: int | None = None,
    *,
    promised: bytes | None = None,
    ranges: bool = True,
) -> Callable[[BaseHTTPRequestHandler], None]:
    """Send what is asked for of a content, but not beyond a point; `promised` has the digest."""
    digest = hashlib.sha256(content if promised is None else promised)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        headers = {
            "ETag": f'"{digest.hexdigest()}"',
            "Repr_Digest": f"sha-256=:{base64.b64encode(digest.digest()).decode()}:",
        }
        begin, status = 0, 200
        asked = handler.headers.get("Range", "")
        if ranges and asked and handler.headers.get("If-Range") == headers["ETag"]:
            begin, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            headers["Content_Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if begin >= len(content):
            headers = {"Content_Range": f"bytes */{len(content)}"}
            return send(b"{}", 416, **headers)(handler)
        headers["Content_Length"] = str(len(content) - begin)
        return send(content[begin:upto], status, **headers)(handler)

    return answer


def begins(service: FaultyService) -> list[int]:
    """Give where each request wanted to begin."""
    ranges = [asked.headers.get("Range", "bytes=0-") for asked in service.asked]
    return [int(each.removeprefix("bytes=").removesuffix("-")) for each in ranges]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_with_progress(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(ADDRESS, part())
    seen: list[Progress] = []
    target = client.download("a.json", tmp_path / "here.json", seen.append)
    assert target.read_bytes() == WHOLE
    assert left(tmp_path) == ["here.json"]
    assert seen[-1] == Progress("fetch", "here.json", done=len(WHOLE), total=len(WHOLE))
    assert all(a.done <= b.done for a, b in itertools.pairwise(seen))


def test_a_download_that_breaks_goes_on_where_it_broke(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    busy = refuse(503, "unavailable", Retry_After="0")
    service.lay(ADDRESS, part(upto=500_000), busy, hang_up, part(upto=900_000), part())
    client.download("a.json", tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == WHOLE
    assert begins(service) == [0, 500_000, 500_000, 500_000, 900_000]
    assert left(tmp_path) == ["a.json"]


def test_a_later_call_goes_on_with_what_an_earlier_one_began(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(ADDRESS, part(upto=500_000), hang_up)
    with pytest.raises(errors.UnreachableError):
        client.download("a.json", tmp_path / "a.json")
    [hidden] = left(tmp_path)
    assert hidden.startswith(".a.json.")
    service.asked.clear()
    service.lay(ADDRESS, part())
    client.download("a.json", tmp_path / "a.json")
    assert begins(service) == [500_000]
    assert (tmp_path / "a.json").read_bytes() == WHOLE
    assert left(tmp_path) == ["a.json"]


@pytest.mark.parametrize("ranges", [True, False])
def test_two_versions_are_never_mixed(
    ranges: bool, client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(ADDRESS, part(upto=500_000), part(OTHER, ranges=ranges))
    client.download("a.json", tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == OTHER
    assert left(tmp_path) == ["a.json"]


def test_a_part_longer_than_the_file_is_begun_anew(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(ADDRESS, part(upto=500_000), hang_up)
    with pytest.raises(errors.UnreachableError):
        client.download("a.json", tmp_path / "a.json")
    [hidden] = tmp_path.iterdir()
    hidden.write_bytes(WHOLE + b"more")
    service.lay(ADDRESS, part())
    client.download("a.json", tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == WHOLE


def test_wrong_bytes_are_fetched_anew_and_never_published(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    wrong = part(OTHER, promised=WHOLE)
    service.lay(ADDRESS, wrong, part())
    client.download("a.json", tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == WHOLE
    service.asked.clear()
    service.lay(ADDRESS, wrong)
    with pytest.raises(errors.CorruptArtifactError):
        client.download("a.json", tmp_path / "b.json")
    assert len(service.asked) == connection.TRIES
    assert left(tmp_path) == ["a.json"]


def test_a_part_that_rotted_is_found_by_its_sum(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(ADDRESS, part(upto=500_000), hang_up)
    with pytest.raises(errors.UnreachableError):
        client.download("a.json", tmp_path / "a.json")
    [hidden] = tmp_path.iterdir()
    hidden.write_bytes(bytes(500_000))
    service.lay(ADDRESS, part())
    client.download("a.json", tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == WHOLE


def test_an_archive_has_no_sum_and_no_ranges(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(
        ADDRESS,
        send(WHOLE[:9], Content_Length=str(len(WHOLE)), ETag='"tag"'),
        send(WHOLE, ETag='"tag"'),
    )
    client.download("a.json", tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == WHOLE


def test_what_exists_is_replaced_only_when_told(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(ADDRESS, part())
    target = tmp_path / "a.json"
    target.write_text("mine")
    with pytest.raises(errors.ExistsError):
        client.download("a.json", target)
    assert (target.read_text(), service.asked) == ("mine", [])
    client.download("a.json", target, force=True)
    assert target.read_bytes() == WHOLE


def test_a_download_that_is_cancelled_leaves_what_it_has_for_the_next(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    cancel = Cancellation()

    def stall(handler: BaseHTTPRequestHandler) -> None:
        part(upto=500_000)(handler)
        handler.wfile.flush()
        handler.connection.recv(1)

    def stop(progress: Progress) -> None:
        if progress.done == 500_000:
            cancel.cancel()

    service.lay(ADDRESS, stall, part())
    with pytest.raises(errors.CancelledError):
        client.download("a.json", tmp_path / "a.json", stop, cancel)
    assert len(left(tmp_path)) == 1
    client.download("a.json", tmp_path / "a.json")
    assert begins(service) == [0, 500_000]
    assert left(tmp_path) == ["a.json"]


@pytest.mark.parametrize("answer", [refuse(404, "artifact-not-found"), refuse(401, "unauthorized")])
def test_a_refusal_is_raised_and_leaves_nothing(
    answer: Any, client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(ADDRESS, answer)
    with pytest.raises(errors.ServiceError):
        client.download("a.json", tmp_path / "a.json")
    assert (len(service.asked), left(tmp_path)) == (1, [])


def test_a_folder_that_is_not_there_is_told(
    client: ServiceClient, service: FaultyService, tmp_path: Path
) -> None:
    service.lay(ADDRESS, part())
    with pytest.raises(errors.StorageError, match="no such file or directory"):
        client.download("a.json", tmp_path / "nowhere" / "a.json")
