"""Files that several write: laid out before, sealed behind, exact to the byte."""

from __future__ import annotations

import hashlib
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from mindcorpus.storage.files import PIECE, HashedFile, hash_file, lay_out
from mindcorpus.storage.ordered_hash import OrderedHash

Folders = pytest.TempPathFactory
pieces = st.lists(st.binary(max_size=50), min_size=1, max_size=8)


@runs(max_examples=100, deadline=None)
@given(head=st.binary(max_size=5), bodies=pieces, tail=st.binary(max_size=5), seed=st.integers())
def test_regions_written_in_any_order_are_sealed_as_one_file(
    head: bytes,
    bodies: list[bytes],
    tail: bytes,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("file") / "file"
    regions = lay_out(path, head, [len(body) for body in bodies], tail)
    order = list(range(len(bodies)))
    random.Random(seed).shuffle(order)
    with OrderedHash(path, regions) as seal:
        for number in order:
            with regions[number].open() as file:
                for byte in bodies[number]:
                    file.write(bytes([byte]))
            seal.complete(number)
    whole = head + b"".join(bodies) + tail
    assert path.read_bytes() == whole or (not whole and path.read_bytes() == b"\0")
    written = seal.written(7)
    assert (written.path, written.rows) == (path, 7)
    assert (written.sha256, written.bytes) == hash_file(path, lambda *_: None)


def test_large_regions_are_written_by_threads_at_once(tmp_path: Path) -> None:
    bodies = [random.Random(seed).randbytes(PIECE * 2 + seed * 1000) for seed in range(4)]
    regions = lay_out(tmp_path / "file", b"[", [len(body) for body in bodies], b"]")
    with OrderedHash(tmp_path / "file", regions) as seal:

        def write(number: int) -> None:
            with regions[number].open() as file:
                view = memoryview(bodies[number])
                for start in range(0, len(view), 70_001):
                    file.write(view[start : start + 70_001])
            seal.complete(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    whole = b"[" + b"".join(bodies) + b"]"
    assert (tmp_path / "file").read_bytes() == whole
    assert seal.written(0).sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize(("size", "said"), [(4, "longer"), (6, "shorter")])
def test_a_region_that_is_not_filled_exactly_is_a_mistake(
    size: int, said: str, tmp_path: Path
) -> None:
    (region, _) = lay_out(tmp_path / "file", b"", [size, 3], b"")
    with pytest.raises(AssertionError, match=f"{said} than was planned"), region.open() as file:
        file.write(b"12345")
    assert (tmp_path / "file").read_bytes()[size:] == b"\0\0\0"


def test_leaving_with_an_error_waits_for_nobody(tmp_path: Path) -> None:
    regions = lay_out(tmp_path / "file", b"", [10, 10], b"")
    before = threading.active_count()
    with pytest.raises(KeyError), OrderedHash(tmp_path / "file", regions):
        raise KeyError
    assert threading.active_count() == before


def test_what_the_disk_says_is_raised(tmp_path: Path) -> None:
    regions = lay_out(tmp_path / "file", b"", [3], b"")
    seal = OrderedHash(tmp_path / "file", regions)
    (tmp_path / "file").unlink()
    with seal:
        seal.complete(0)
    with pytest.raises(FileNotFoundError):
        seal.written(1)


@runs(max_examples=50, deadline=None)
@given(bodies=pieces)
def test_a_hashed_file_knows_what_it_holds(bodies: list[bytes], tmp_path_factory: Folders) -> None:
    path = tmp_path_factory.mktemp("file") / "file"
    with HashedFile(path) as file:
        for body in bodies:
            file.write(body)
            file.rows += 1
        assert file.tell() == sum(map(len, bodies))
    assert path.read_bytes() == b"".join(bodies)
    assert file.written.sha256 == hashlib.sha256(b"".join(bodies)).hexdigest()
    assert (file.written.bytes, file.written.rows) == (path.stat().st_size, len(bodies))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        HashedFile(tmp_path / "file")
    with pytest.raises(FileExistsError):
        lay_out(tmp_path / "file", b"", [3], b"")
    assert (tmp_path / "file").read_bytes() == b"mine"
