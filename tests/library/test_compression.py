"""Compressed files: what was packed comes out, and what is wrong with one is said."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from files_of_data import PACKED, zipped
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mindcorpus.compression import ENDINGS, compression_of, open_plain, plain_name, without_ending
from mindcorpus.errors import DataError

TEXT = "Schläft er schlecht? 😴 “Yes.” Да.\n".encode() * 5000


def written(folder: Path, content: bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def plain(path: Path) -> bytes:
    with open_plain(path, path.name) as file:
        return file.read()


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=3000), times=st.integers(1, 2000))
def test_what_was_packed_comes_out(tmp_path: Path, ending: str, content: bytes, times: int) -> None:
    path = written(tmp_path, PACKED[ending](content * times), f"rows.csv{ending}")

    assert plain(path) == content * times
    assert plain_name(path, path.name) == "rows.csv"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_is_known_by_its_first_bytes(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, PACKED[ending](TEXT), "rows.csv")

    assert compression_of(path, path.name) == ENDINGS[ending]
    assert plain(path) == TEXT


@pytest.mark.parametrize("content", [b"", b"BZh is no bzip2", b"\x1f", b"PK", "é".encode("utf-16")])
def test_a_plain_file_is_given_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content, "rows.csv")

    assert compression_of(path, path.name) is None
    assert plain(path) == content


@pytest.mark.parametrize("ending", [".gz", ".zst", ".bz2", ".xz"])
def test_several_streams_in_one_file_are_read_as_one(tmp_path: Path, ending: str) -> None:
    pack = PACKED[ending]

    assert plain(written(tmp_path, pack(TEXT) + pack(b"more"), f"a{ending}")) == TEXT + b"more"


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_zeros_at_the_end_of_a_file_hold_nothing(tmp_path: Path, ending: str) -> None:
    assert plain(written(tmp_path, PACKED[ending](TEXT) + bytes(64), f"a{ending}")) == TEXT


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_an_error(tmp_path: Path, ending: str, kept: float) -> None:
    packed = PACKED[ending](random.Random(1).randbytes(50_000) + TEXT)
    path = written(tmp_path, packed[: int(len(packed) * kept)], f"a{ending}")

    with pytest.raises(DataError, match="cut off") as caught:
        plain(path)
    assert caught.value.file == path.name


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip"])
def test_a_file_that_is_damaged_is_an_error(tmp_path: Path, ending: str) -> None:
    packed = bytearray(PACKED[ending](random.Random(1).randbytes(50_000)))
    packed[20_000:20_050] = bytes(50)
    path = written(tmp_path, bytes(packed), f"a{ending}")

    with pytest.raises(DataError, match="damaged"):
        plain(path)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_what_stands_behind_the_end_of_a_file_is_an_error(tmp_path: Path, ending: str) -> None:
    with pytest.raises(DataError, match="damaged"):
        plain(written(tmp_path, PACKED[ending](TEXT) + b"something else", f"a{ending}"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_plain_file_with_the_ending_of_a_compressed_one_is_an_error(
    tmp_path: Path, ending: str
) -> None:
    path = written(tmp_path, b"question,answer\n", f"a.csv{ending}")

    with pytest.raises(DataError, match=f"the file's ending says {ENDINGS[ending]}, but it is not"):
        plain(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_whoever_counts_can_stop_it(tmp_path: Path, ending: str) -> None:
    """A bomb: 64 MiB out of some kilobytes; not more than a few pieces of it are made."""
    path = written(tmp_path, PACKED[ending](bytes(64 * 1024 * 1024)), f"bomb{ending}")
    seen = 0

    def count(size: int) -> None:
        nonlocal seen
        seen += size
        if seen > 1_000_000:
            raise OverflowError

    with open_plain(path, path.name, count) as file, pytest.raises(OverflowError):
        file.read()
    assert path.stat().st_size < 100_000
    assert seen < 4_000_000


def test_a_zip_holds_one_file_beside_what_systems_add(tmp_path: Path) -> None:
    names = ("d/", "d/rows.tsv", "__MACOSX/d/._rows.tsv", ".DS_Store", "d/Thumbs.db")
    path = written(tmp_path, zipped(TEXT, *names), "download.zip")

    assert plain_name(path, path.name) == "rows.tsv"
    assert plain(path) == TEXT


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped(b"a", "a.csv", "b.csv"), "holds 2 files"),
        (zipped(b"a", "folder/"), "holds no files"),
        (zipped(b"a", "[Content_Types].xml", "xl/sheet.xml"), "an office document"),
    ],
)
def test_a_zip_that_is_not_one_file_is_an_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = written(tmp_path, content, "rows.zip")

    for read in (plain, lambda path: plain_name(path, path.name)):
        with pytest.raises(DataError, match=words):
            read(path)


def test_an_encrypted_zip_is_an_error(tmp_path: Path) -> None:
    content = bytearray(zipped(b"a"))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1

    with pytest.raises(DataError, match="encrypted"):
        plain(written(tmp_path, bytes(content), "rows.zip"))


def test_names_lose_the_ending_of_compression_alone() -> None:
    assert without_ending("a/rows.jsonl.GZ") == "a/rows.jsonl"
    assert without_ending("rows.csv") == "rows.csv"
