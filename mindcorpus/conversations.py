"""A record's whole conversation: its turns, what is read of them as plain texts, and as JSON.

`input` and `response` of a record are its flat view, which anybody can read: the answer is the
last turn of the assistant that is to be learnt from, the input is what stands before it. Where the
two do not say all that the source holds, a `Conversation` beside them does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson

from mindcorpus.records import Said, fold, is_blank

Role = Literal["system", "developer", "user", "assistant", "tool"]
#: In a prompt these tell a model how to be; the flat view has none of them.
INSTRUCTING = frozenset({"system", "developer"})
#: What a conversation may hold that not every format can carry, as the lineage's `holds` names it.
HOLDS = (
    "turns",
    "system",
    "developer",
    "tools",
    "names",
    "weights",
    "reasoning",
    "later-turns",
    "rejected-turns",
)
_HEADINGS = {"user": "User", "assistant": "Assistant", "tool": "Tool"}
_SEPARATOR = b"\0"


class Turn(NamedTuple):
    """One turn; a field that the source does not give is None."""

    role: Role
    content: str | None = None
    name: str | None = None
    weight: int | None = None
    """0: not to be learnt from; 1 or None: to be learnt from, if it is the assistant's."""
    tool_calls: str | None = None
    """JSON text of the list of calls, as the source has it."""
    tool_call_id: str | None = None
    """Of a tool's answer: the call that it answers."""
    reasoning_content: str | None = None
    """What the assistant thought before it answered."""

    @property
    def is_answer(self) -> bool:
        """Whether it is an assistant's turn that is to be learnt from, with something in it."""
        said = self.tool_calls is not None or not is_blank(self.content or "")
        return self.role == "assistant" and self.weight != 0 and said


class Conversation(NamedTuple):
    """What a source holds of a record beyond its flat texts."""

    turns: tuple[Turn, ...]
    """All turns, also those behind the last answer."""
    rejected: tuple[Turn, ...] = ()
    """Of a preference pair: the other conversation, whole, with the beginning that both share."""
    tools: str | None = None
    """JSON text of the tools' schemas."""
    parallel_tool_calls: bool | None = None


class Flat(NamedTuple):
    """The flat view of a conversation."""

    input: str
    response: str


#: What a turn has beside role and content, where it has nothing else.
ONLY_TEXT = (None,) * (len(Turn._fields) - 2)


def last_answer(turns: Sequence[Turn]) -> int:
    """Give the place of the last turn that is to be learnt from, -1 if there is none."""
    return next((at for at in range(len(turns) - 1, -1, -1) if turns[at].is_answer), -1)


def flatten(turns: Sequence[Turn], answer: int) -> Flat:
    """Give the flat view: the answer at a place, and what stands before it.

    A single turn of the user before it is the input as it is; more stand under the headings
    «User:», «Assistant:» and «Tool:». Turns that instruct are left out.
    """
    before = [turn for turn in turns[:answer] if turn.role not in INSTRUCTING]
    if len(before) == 1 and before[0].role == "user":
        return Flat(readable(before[0]), readable(turns[answer]))
    texts = (f"{_HEADINGS[turn.role]}: {readable(turn)}" for turn in before)
    return Flat("\n\n".join(texts), readable(turns[answer]))


def readable(turn: Turn) -> str:
    """Give what a turn says, and below it the tools that it calls, each with its arguments."""
    said = turn.content or ""
    if turn.tool_calls is None:
        return said
    calls = [f"Calls {name}({arguments})" for name, arguments in calls_of(turn)]
    return "\n".join([said, *calls] if not is_blank(said) else calls)


def calls_of(turn: Turn) -> Iterator[tuple[str, str]]:
    """Give name and arguments (JSON text) of each call in a turn."""
    for call in orjson.loads(turn.tool_calls or "[]"):
        yield named_call(call)


def named_call(call: Any) -> tuple[str, str]:
    """Give name and arguments (JSON text) of a call."""
    function = function_of(call)
    return str(function.get("name", "")), as_text(function.get("arguments", ""))


def function_of(call: Any) -> dict[str, Any]:
    """Give the object that holds a call's name and arguments; some sources write it unwrapped."""
    if not isinstance(call, dict):
        return {}
    function = call.get("function", call)
    return function if isinstance(function, dict) else {"name": function, **call}


def as_text(value: Any) -> str:
    """Give a text as it is, and anything else as JSON text, its keys in their order."""
    if isinstance(value, str):
        return value
    # The standard module takes what orjson does not: integers of any size.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_plain(conversation: Conversation) -> bool:
    """Tell whether the flat view says all: a user's text, the assistant's, and nothing else."""
    turns = conversation.turns
    return (
        not conversation.rejected
        and conversation.tools is None
        and conversation.parallel_tool_calls is None
        and len(turns) == 2
        and turns[0] == Turn("user", turns[0].content)
        and turns[1] == Turn("assistant", turns[1].content)
        and not is_blank(turns[0].content or "")
        and turns[1].is_answer
    )


def what_it_holds(conversation: Conversation) -> tuple[str, ...]:
    """Name what a conversation holds, as `HOLDS` lists it, in that order.

    Turns that no chat has, as those behind the last answer, count as `later-turns` alone.
    """
    turns = kept_turns(conversation.turns)
    both = (*turns, *conversation.rejected)
    found = {
        "turns": True,
        "system": any(turn.role in INSTRUCTING for turn in both),
        "developer": any(turn.role == "developer" for turn in both),
        "tools": conversation.tools is not None
        or any(turn.role == "tool" or turn.tool_calls is not None for turn in both),
        # A tool's answer is named after the tool, which its call names as well.
        "names": any(turn.name is not None and turn.role != "tool" for turn in both),
        "weights": any(turn.weight == 0 and turn.role == "assistant" for turn in both),
        "reasoning": any(turn.reasoning_content is not None for turn in both),
        "later-turns": 0 <= last_answer(conversation.turns) < len(conversation.turns) - 1,
        "rejected-turns": bool(conversation.rejected),
    }
    return tuple(name for name in HOLDS if found[name])


def folded_turns(turns: Iterable[Turn]) -> bytes:
    """Give turns in the form in which conversations are compared; equal ones say the same."""
    pieces: list[bytes] = []
    for turn in turns:
        pieces += (turn.role.encode(), fold((turn.content or "").encode()))
        # Seldom there, so that nothing is said of those that are not; 1 is what a weight is.
        if turn[2:] != ONLY_TEXT:
            for name, value in zip(Turn._fields[2:], turn[2:], strict=True):
                if value is not None and value != 1:
                    pieces += (name.encode(), str(value).encode())
        pieces.append(b"")
    return _SEPARATOR.join(pieces)


def opening(turns: Sequence[Turn]) -> Flat | None:
    """Give the first turns of the user and of the assistant; None where one has none."""
    found = (
        next((turn for turn in turns if turn.role == role and turn.content), None)
        for role in ("user", "assistant")
    )
    first, reply = found
    return Flat(readable(first), readable(reply)) if first and reply else None


def what_it_says(conversation: Conversation) -> Said:
    """Give what of a conversation is compared; raises `UnicodeEncodeError` for lone surrogates."""
    turns, rejected, tools, _ = conversation
    schemas = (tools or "").encode()
    folded, kept = folded_turns(turns), kept_turns(turns)
    learnt = folded if len(kept) == len(turns) else folded_turns(kept)
    return Said(
        _SEPARATOR.join((folded, folded_turns(rejected), schemas)),
        _SEPARATOR.join((learnt, schemas)),
        opening(turns),
    )


def kept_turns(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Give the turns that chats are made of.

    Those behind the last answer are left out, as a trainer learns nothing from them, and those that
    say nothing, which providers refuse; but for a tool's answer, which its call asks for. Where
    there is no answer, as in a prompt whose only answer is a rejected one, none is behind it.
    """
    return [
        turn
        for turn in turns[: last_answer(turns) + 1] or turns
        if turn.content or turn.tool_calls is not None or turn.role == "tool"
    ]


def message_of(turn: Turn) -> dict[str, Any]:
    """Give a turn as an object: role, content, and of the other fields those that are given.

    The calls of tools are a list, as the source has it.
    """
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    for name, value in zip(Turn._fields[2:], turn[2:], strict=True):
        if value is not None:
            # The standard module keeps what orjson does not: integers of any size.
            message[name] = json.loads(str(value)) if name == "tool_calls" else value
    return message


def messages_json(turns: Sequence[Turn]) -> list[bytes]:
    """Give turns as messages of OpenAI's schema, which has no place for a turn's reasoning.

    Calls without an id get one, and tool answers without one that of the call whose turn it is:
    the schema asks for both. A key that the schema gives to other roles only is left out.
    """
    calls = _CallIds()
    return [_message(turn, calls) for turn in turns]


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


def _message(turn: Turn, ids: _CallIds) -> bytes:
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.name is not None:
        message["name"] = turn.name
    if turn.role == "assistant":
        if turn.weight is not None:
            message["weight"] = turn.weight
        if turn.tool_calls is not None:
            message["tool_calls"] = [_call(call, ids) for call in orjson.loads(turn.tool_calls)]
    elif turn.role == "tool" and (id_ := ids.of_answer(turn.tool_call_id)) is not None:
        message["tool_call_id"] = id_
    return orjson.dumps(message)


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
    schemas = orjson.loads(tools)
    if isinstance(schemas, list) and any(map(_is_bare, schemas)):
        return as_text([_wrapped(each) if _is_bare(each) else each for each in schemas]).encode()
    # A line end stands between JSON's words only, never in a text.
    return tools.encode().replace(b"\n", b" ").replace(b"\r", b" ")


def _is_bare(schema: Any) -> bool:
    return isinstance(schema, dict) and "function" not in schema and "name" in schema


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    function = {key: value for key, value in schema.items() if key != "type"}
    return {"type": "function", "function": function}
