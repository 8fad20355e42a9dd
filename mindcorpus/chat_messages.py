"""A conversation as messages of OpenAI's schema, which most trainers read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from mindcorpus.conversations import ONLY_TEXT, Turn, as_text, calls_in, function_of


def messages_of(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Give turns as messages of OpenAI's schema, which has no place for a turn's reasoning.

    Calls without an id get one, and tool answers without one that of the call whose turn it is:
    the schema asks for both. A key that the schema gives to other roles only is left out.
    """
    calls = _CallIds()
    return [
        {"role": turn.role, "content": turn.content}
        if turn[2:] == ONLY_TEXT and turn.role != "tool"
        else _message(turn, calls)
        for turn in turns
    ]


def has_misplaced_keys(turn: Turn) -> bool:
    """Tell whether a turn has something that the schema gives to other roles only."""
    if turn.role == "assistant":
        return turn.tool_call_id is not None
    misplaced = turn.weight is not None or turn.tool_calls is not None
    return misplaced or (turn.tool_call_id is not None and turn.role != "tool")


class _CallIds:
    """The ids of a conversation's calls, and which of them wait for their answer."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._waiting: list[str] = []

    def of_call(self, given: Any) -> str:
        """Give a call's id: its own, or a new one."""
        id_ = as_text(given) if given not in (None, "") else self._new()
        self._used.add(id_)
        self._waiting.append(id_)
        return id_

    def of_answer(self, given: str | None) -> str | None:
        """Give the id of the call that a tool answers; None where no call waits for one."""
        if given is None:
            return self._waiting.pop(0) if self._waiting else None
        if given in self._waiting:
            self._waiting.remove(given)
        return given

    def _new(self) -> str:
        number = 1
        while f"call_{number}" in self._used:
            number += 1
        return f"call_{number}"


def _message(turn: Turn, ids: _CallIds) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.name is not None:
        message["name"] = turn.name
    if turn.role == "assistant":
        if turn.weight is not None:
            message["weight"] = turn.weight
        if turn.tool_calls is not None:
            message["tool_calls"] = [_call(call, ids) for call in calls_in(turn)]
    elif turn.role == "tool" and (id_ := ids.of_answer(turn.tool_call_id)) is not None:
        message["tool_call_id"] = id_
    return message


def _call(call: Any, ids: _CallIds) -> dict[str, Any]:
    """Give a call in the published form: an id, and arguments as JSON text."""
    function = function_of(call)
    return {
        "id": ids.of_call(call.get("id") if isinstance(call, dict) else None),
        "type": "function",
        "function": {
            "name": str(function.get("name", "")),
            "arguments": as_text(function.get("arguments", "{}")),
        },
    }


def tools_json(tools: str | None, parallel: bool | None) -> bytes:  # noqa: FBT001 - a key's value
    """Give what stands behind the messages of an example: tools, and how they may be called."""
    found = b""
    if tools is not None:
        found += b',"tools":' + _published(tools)
    if parallel is not None:
        found += b',"parallel_tool_calls":' + orjson.dumps(parallel)
    return found


@lru_cache(maxsize=64)
def _published(tools: str) -> bytes:
    """Give tools as the schema has them, on one line; some sources write the function alone."""
    # The standard module does not round integers of more than 64 bits.
    schemas = json.loads(tools)
    if isinstance(schemas, list) and any(map(_is_bare, schemas)):
        return as_text([_wrapped(each) if _is_bare(each) else each for each in schemas]).encode()
    # A line end stands between JSON's words only, never in a text.
    return tools.encode().replace(b"\n", b" ").replace(b"\r", b" ")


def _is_bare(schema: Any) -> bool:
    return isinstance(schema, dict) and "function" not in schema and "name" in schema


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    function = {key: value for key, value in schema.items() if key != "type"}
    return {"type": "function", "function": function}
