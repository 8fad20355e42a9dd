"""Columns that are read piece by piece are what was put in, in memory and on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mindcorpus.corpus import column_store
from mindcorpus.corpus.column_store import ColumnStore

rows = st.tuples(st.integers(-1, 2), st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 1)))
TYPES = {"number": np.dtype(np.int32), "key": np.dtype((np.uint64, 2))}


@settings(deadline=None)
@given(st.lists(st.lists(rows, max_size=5), max_size=5), st.sampled_from([0, 1, 10**6]), st.data())
def test_any_rows_are_read_as_they_were_put_in(
    tmp_path_factory: pytest.TempPathFactory,
    groups: list[list[tuple[int, tuple[int, int]]]],
    in_memory: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("columns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_store, "IN_MEMORY", in_memory)
        store = ColumnStore(folder, TYPES)
        for group in groups:
            numbers = np.array([number for number, _ in group], np.int32)
            store.append(
                {
                    "number": numbers,
                    "key": np.array([k for _, k in group], np.uint64).reshape(-1, 2),
                }
            )
    put_in = [row for group in groups for row in group]
    assert len(store) == len(put_in)
    first = data.draw(st.integers(0, len(put_in)))
    last = data.draw(st.integers(first, len(put_in)))
    for start, end in ((first, last), (0, len(put_in))):
        mine = put_in[start:end]
        assert store.read("number", start, end).tolist() == [number for number, _ in mine]
        assert store.read("key", start, end).tolist() == [list(key) for _, key in mine]
    assert not [*folder.iterdir()]


def test_what_is_one_value_throughout_takes_no_memory(tmp_path: Path) -> None:
    store = ColumnStore(tmp_path, {"number": np.dtype(np.int32)})
    for _ in range(3):
        store.append({"number": np.full(1000, 7, np.int32)})
    found = store.read("number", 10, 2500)
    assert (found == 7).all()
    assert found.strides == (0,)
