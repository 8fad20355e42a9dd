"""Which records hold words: in one of their texts, or in a turn of their conversation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

_TEXTS = ("input", "response", "rejected_response")
_TURNS = ("messages", "rejected_messages")
#: The columns that are looked through.
SEARCHED = (*_TEXTS, *_TURNS)
#: Of a turn. The calls of tools are JSON text, and stand readable in the flat texts.
_OF_A_TURN = ("content", "reasoning_content")

Flags = npt.NDArray[np.bool_]


def holding(table: Any, words: list[str]) -> Flags:
    """Tell which rows of the columns `SEARCHED` hold all words in one text, whatever their case.

    What a system prompt says stands in the turns alone, and so do turns behind the last answer.
    """
    found = np.zeros(table.num_rows, bool)
    for name in _TEXTS:
        found |= _all_in(table.column(name), words)
    for name in _TURNS:
        column, first = table.column(name), 0
        for chunk in column.chunks if column.null_count < len(column) else ():
            turns, of_row = pc.list_flatten(chunk), pc.list_parent_indices(chunk)
            for field in _OF_A_TURN:
                hits = _all_in(turns.field(field), words)
                found[first + np.asarray(of_row)[hits]] = True
            first += len(chunk)
    return found


def _all_in(texts: Any, words: list[str]) -> Flags:
    here = np.ones(len(texts), bool)
    if texts.null_count == len(texts):
        return ~here
    for word in words:
        hits = pc.match_substring(texts, word, ignore_case=True)
        here &= np.asarray(hits.fill_null(False) if texts.null_count else hits)  # noqa: FBT003
    return here
