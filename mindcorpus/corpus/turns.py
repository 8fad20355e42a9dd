"""Conversations as columns of the corpus' Parquet, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, cast

import numpy as np
import pyarrow as pa

from mindcorpus.arrow import as_flags, lists_of, maybe, numbers, strings, structs
from mindcorpus.conversations import Conversation, Role, Turn, message_of

#: A turn: the fields of `Turn`; a call's arguments may be anything, so calls are JSON text.
TURN = pa.struct(
    [
        pa.field("role", pa.string(), nullable=False),
        ("content", pa.string()),
        ("name", pa.string()),
        ("weight", pa.int8()),
        ("tool_calls", pa.string()),
        ("tool_call_id", pa.string()),
        ("reasoning_content", pa.string()),
    ]
)
MESSAGES = pa.list_(pa.field("element", TURN, nullable=False))
#: What stands beside a record's six fields; all null where those say all.
FIELDS = (
    pa.field("messages", MESSAGES),
    pa.field("rejected_messages", MESSAGES),
    pa.field("tools", pa.string()),
    pa.field("parallel_tool_calls", pa.bool_()),
    pa.field("metadata", pa.string()),
)
NAMES = tuple(field.name for field in FIELDS)


def messages_array(conversations: Sequence[Sequence[Turn] | None]) -> Any:
    """Make a column of `MESSAGES`; None and no turns give null."""
    turns = [turn for each in conversations for turn in each or ()]
    columns = list(zip(*turns, strict=True)) or [()] * len(Turn._fields)
    fields = [_field(column, TURN.field(at).type) for at, column in enumerate(columns)]
    return lists_of(structs(fields, len(turns), TURN), conversations, MESSAGES)


def arrays_beside(rows: Sequence[tuple[Conversation | None, str]]) -> list[Any]:
    """Make the columns of `FIELDS`, of each record's conversation and its metadata (JSON or "")."""
    chats = [chat for chat, _ in rows]
    sides = [chat.turns if chat else None for chat in chats]
    others = [chat.rejected if chat else None for chat in chats]
    tools = [chat.tools if chat else None for chat in chats]
    return [
        messages_array(sides),
        messages_array(others),
        strings(tools),
        maybe([chat.parallel_tool_calls if chat else None for chat in chats]),
        strings([metadata or None for _, metadata in rows]),
    ]


def _field(column: Sequence[Any], type_: Any) -> Any:
    # Most turns have a role and a content alone.
    if column.count(None) == len(column):
        return pa.nulls(len(column), type_)
    if type_ == pa.string():
        return strings(column)
    valid = np.array([value is not None for value in column], bool)
    return numbers([value or 0 for value in column], type_, valid)


def turns_of(column: Any) -> Iterator[tuple[Turn, ...] | None]:
    """Give the turns of each value of a column of `MESSAGES`; None for null."""
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        if chunk.null_count == len(chunk):
            yield from (None for _ in range(len(chunk)))
            continue
        offsets = np.frombuffer(chunk.buffers()[1], np.int32)[chunk.offset :][: len(chunk) + 1]
        first = int(offsets[0])
        flat = chunk.values.slice(first, int(offsets[-1]) - first)
        columns = (flat.field(at).to_pylist() for at in range(TURN.num_fields))
        turns = [Turn(cast("Role", role), *rest) for role, *rest in zip(*columns, strict=True)]
        valid = as_flags(pa.chunked_array([chunk]))
        ends = (offsets - first).tolist()
        for at, there in enumerate(valid.tolist()):
            yield tuple(turns[ends[at] : ends[at + 1]]) if there else None


def values_beside(table: Any) -> Iterator[dict[str, Any]]:
    """Give for each row of a table the values of `FIELDS`, read: what is JSON text there is not.

    Messages are lists of objects as `conversations.message_of` makes them. What a record does not
    have is None.
    """
    columns = [_values(table.column(field.name), field) for field in FIELDS]
    return (dict(zip(NAMES, row, strict=True)) for row in zip(*columns, strict=True))


def _values(column: Any, field: Any) -> Iterator[Any]:
    if column.null_count == len(column):
        return repeat(None, len(column))
    if field.type == MESSAGES:
        return (
            None if turns is None else [message_of(turn) for turn in turns]
            for turns in turns_of(column)
        )
    if field.type == pa.string():
        return (None if text is None else json.loads(text) for text in column.to_pylist())
    return iter(column.to_pylist())
