"""Which records are the same: against a dictionary, in one partition and in many."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import merge_own, own_rows, read_json, read_parquet
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from plain_reading import fold

from mindcorpus.corpus.verdicts import Reason, Verdicts
from mindcorpus.errors import CancelledError
from mindcorpus.merging.part_index import INDEX
from mindcorpus.progress import Cancellation
from mindcorpus.stages import base
from mindcorpus.stages.base import Indexes, find_firsts
from mindcorpus.stages.exact_duplicates import ExactDuplicates
from mindcorpus.verify import verify

# A part: for each row read the number of its text, or None where it was dropped.
part = st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=20)


def key_of(text: int) -> bytes:
    """Give a key; some agree in one half, as the second may be all that tells them apart."""
    digest = hashlib.md5(b"%d" % (text // 3)).digest()[:8]
    return digest + bytes([text % 3]) * 8


def write_index(path: Path, texts: Sequence[int | None], group: int) -> Path:
    """Write a part's index as the readers do, a row group every few rows."""
    with pq.ParquetWriter(path, INDEX) as writer:
        for start in range(0, len(texts), group):
            keys = [None if text is None else key_of(text) for text in texts[start : start + group]]
            reasons = ["dropped" if key is None else None for key in keys]
            filled = {"key": keys, "reason": reasons}
            columns = [
                pa.array(filled.get(field.name, [None] * len(keys)), field.type) for field in INDEX
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=INDEX))
    return path


@runs(max_examples=100, deadline=None)
@given(
    found=st.lists(part, min_size=1, max_size=5), group=st.integers(1, 7), size=st.integers(1, 40)
)
def test_twins_are_those_a_dictionary_finds(
    found: list[list[int | None]], group: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("indexes")
    indexes = [
        write_index(folder / f"{at}.parquet", texts, group) for at, texts in enumerate(found)
    ]
    texts = [text for each in found for text in each if text is not None]
    first: dict[int, int] = {}
    expected = [
        -1 if first.setdefault(text, at) == at else first[text] for at, text in enumerate(texts)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "PARTITION", size)
        seen = Indexes(indexes, len(texts), lambda: None, folder)
        twins = find_firsts(seen, Verdicts.none(len(texts)).stays, ("key",))
        parted = list(seen.partitions("key"))
    assert twins.tolist() == expected
    # Each record is in one partition, and equal keys are never apart.
    numbers = np.concatenate([numbers for _, numbers in parted])
    assert sorted(numbers.tolist()) == list(range(len(texts)))
    homes = [{key.tobytes() for key in keys} for keys, _ in parted]
    assert sum(map(len, homes)) == len(set(texts))


def test_each_index_is_read_once_however_many_keys_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes = [write_index(tmp_path / f"{at}.parquet", [*range(at, at + 30)], 7) for at in range(5)]
    read: list[Path] = []
    plainly = base.read_keys

    def noted(index: Path, columns: Sequence[str]) -> object:
        read.append(index)
        return plainly(index, columns)

    monkeypatch.setattr(base, "PARTITION", 20)
    monkeypatch.setattr(base, "read_keys", noted)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    parted = Indexes(indexes, 150, lambda: None, scratch).partitions("key")
    first, _ = next(parted)
    assert 0 < len(first) < 150
    assert len(list(parted)) == 7
    assert read == indexes
    assert list(scratch.iterdir()) == []


def test_it_stops_when_asked(tmp_path: Path) -> None:
    index = write_index(tmp_path / "one.parquet", [1, 2, 1], 2)
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(CancelledError):
        find_firsts(Indexes([index], 3, cancel.check, tmp_path), Verdicts.none(3).stays, ("key",))


def test_what_was_left_out_before_stands_for_nobody(tmp_path: Path) -> None:
    index = write_index(tmp_path / "one.parquet", [1, 2, 1, 1], 2)
    indexes = Indexes([index], 4, lambda: None, tmp_path)
    before = Verdicts.none(4).leave_out(np.array([0]), Reason("other"))
    assert find_firsts(indexes, before.stays, ("key",)).tolist() == [-1, -1, -1, 2]
    after = ExactDuplicates().judge(indexes, before)
    assert after.code.tolist() == [1, 0, 0, 2]
    assert after.twin.tolist() == [-1, -1, -1, 2]
    assert [reason.name for reason in after.reasons] == ["other", "duplicate"]


@pytest.mark.parametrize("partition", [10**6, 5])
@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_in_catalogue_order_stays_and_texts_are_compared_folded(
    workers: int, partition: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "PARTITION", partition)
    one = [("Caf\u00e9  au\nlait", "yes"), ("x", "1"), ("x", "2"), ("x ", "1\u00a0"), ("X", "1")]
    two = [
        (" Cafe\u0301 au lait", " yes\r\n"),
        ("x\u2003y", "1"),
        ("x y", "1"),
        ("xy", "1"),
        ("x", "2"),
    ]
    files = [
        own_rows(tmp_path, name, [{"q": question, "a": answer} for question, answer in rows])
        for name, rows in (("one", one), ("two", two))
    ]
    result = merge_own(tmp_path / "data", *files, workers=workers)
    seen: set[tuple[str, str]] = set()
    expected = []
    for question, answer in [*one, *two]:
        key = fold(question), fold(answer)
        if key not in seen:
            seen.add(key)
            expected.append((question, answer))
    records = read_json(result.json_path)
    assert [(record["input"], record["response"]) for record in records] == expected
    counted = result.statistics["sources"]
    assert counted["one"]["duplicates"] == {"one": 1}
    assert counted["two"]["duplicates"] == {"one": 2, "two": 1}
    twins = {
        (row["source"], row["row"]): row["evidence"]
        for row in read_parquet(result.lineage_path)
        if row["status"] == "duplicate"
    }
    assert twins == {
        ("one", 3): "the same as corpus row 1",
        ("two", 0): "the same as corpus row 0",
        ("two", 2): "the same as corpus row 4",
        ("two", 4): "the same as corpus row 2",
    }
    assert verify(tmp_path / "data") == []
