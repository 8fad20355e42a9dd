"""A record's whole conversation: its turns, and what is read of them as plain texts.

`input` and `response` of a record are its flat view, which anybody can read: the answer is the
last turn of the assistant that is to be learnt from, the input is what stands before it. Where the
two do not say all that the source holds, a `Conversation` beside them does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from mindcorpus.records import is_blank

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
    "uneven-turns",
    "late-system",
    "two-prompts",
    "two-instructions",
    "answer-turns",
    "answer-weights",
    "answer-keys",
)
HEADINGS = {"user": "User", "assistant": "Assistant", "tool": "Tool"}


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
#: What a call's arguments are called, beside the published name.
_ARGUMENTS = ("args", "parameters", "input")


def last_answer(turns: Sequence[Turn]) -> int:
    """Give the place of the last turn that is to be learnt from, -1 if there is none."""
    # In a loop: this is done for every conversation, several times.
    for at in range(len(turns) - 1, -1, -1):
        if turns[at].is_answer:
            return at
    return -1


def flatten(turns: Sequence[Turn], answer: int) -> Flat:
    """Give the flat view: the answer at a place, and what stands before it.

    A single turn of the user before it is the input as it is; more stand under the headings
    «User:», «Assistant:» and «Tool:». Turns that instruct are left out.
    """
    before = [turn for turn in turns[:answer] if turn.role not in INSTRUCTING]
    if len(before) == 1 and before[0].role == "user":
        return Flat(readable(before[0]), readable(turns[answer]))
    texts = (f"{HEADINGS[turn.role]}: {readable(turn)}" for turn in before)
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
    yield from map(named_call, calls_in(turn))


def calls_in(turn: Turn) -> list[Any]:
    """Give the calls of a turn as values, as the source has them."""
    # The standard module reads what orjson rounds: integers of any size.
    found: list[Any] = json.loads(turn.tool_calls or "[]")
    return found


def named_call(call: Any) -> tuple[str, str]:
    """Give name and arguments (JSON text) of a call."""
    function = function_of(call)
    return str(function.get("name", "")), as_text(function.get("arguments", ""))


def function_of(call: Any) -> dict[str, Any]:
    """Give the object that holds a call's name and arguments; some sources write it unwrapped.

    What it calls with is `arguments`, whatever the source calls that.
    """
    if not isinstance(call, dict):
        return {}
    function = call.get("function", call)
    found = function if isinstance(function, dict) else {"name": function, **call}
    if "arguments" in found:
        return found
    given = next((found[key] for key in _ARGUMENTS if key in found), None)
    return found if given is None else {**found, "arguments": given}


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


def what_it_holds(conversation: Conversation, kept: Sequence[Turn], answer: int) -> tuple[str, ...]:
    """Name what a conversation holds, as `HOLDS` lists it, in that order.

    `kept` are its `kept_turns`, `answer` the place of the last answer: turns behind that count as
    `later-turns` alone. Of a pair, `uneven-turns` and `late-system` are told of the chosen side.
    """
    both = (*kept, *conversation.rejected)
    roles = {turn.role for turn in both}
    odd = [turn for turn in both if turn[2:] != ONLY_TEXT]
    found = {
        "turns": True,
        "system": not roles.isdisjoint(INSTRUCTING),
        "developer": "developer" in roles,
        "tools": conversation.tools is not None
        or "tool" in roles
        or any(turn.tool_calls is not None for turn in odd),
        # A tool's answer is named after the tool, which its call names as well.
        "names": any(turn.name is not None and turn.role != "tool" for turn in odd),
        "weights": any(turn.weight == 0 and turn.role == "assistant" for turn in odd),
        "reasoning": any(turn.reasoning_content is not None for turn in odd),
        "later-turns": 0 <= answer < len(conversation.turns) - 1,
        "rejected-turns": bool(conversation.rejected),
        "uneven-turns": not _take_turns(kept),
        "late-system": any(turn.role in INSTRUCTING for turn in kept[1:]),
        **_of_a_pair(kept, conversation.rejected),
    }
    return tuple(name for name in HOLDS if found[name])


def _take_turns(kept: Sequence[Turn]) -> bool:
    """Tell whether assistants speak after users or tools, one turn each, and have the last word."""
    answers = [turn.role == "assistant" for turn in kept if turn.role not in INSTRUCTING]
    return len(answers) % 2 == 0 and all(is_ == at % 2 for at, is_ in enumerate(answers))


def _of_a_pair(chosen: Sequence[Turn], rejected: Sequence[Turn]) -> dict[str, bool]:
    """Name what the two sides of a pair hold that not every format of pairs can carry."""
    other = kept_turns(rejected, last_answer(rejected)) if rejected else ()
    size = prompt_size(chosen, other)
    sides = (chosen[size:], other[size:]) if rejected else ()
    learnt = [turn for side in sides for turn in side if turn.role == "assistant"]
    return {
        "two-prompts": bool(rejected) and not size,
        "two-instructions": bool(rejected) and _instructions(chosen) != _instructions(other),
        "answer-turns": any(len(side) > 1 for side in sides),
        "answer-weights": any(turn.weight == 0 for turn in learnt),
        "answer-keys": any(turn.name is not None or turn.tool_calls is not None for turn in learnt),
    }


def _instructions(turns: Sequence[Turn]) -> list[str | None]:
    return [turn.content for turn in turns if turn.role in INSTRUCTING]


def prompt_size(chosen: Sequence[Turn], rejected: Sequence[Turn]) -> int:
    """Count the turns that the two sides of a pair answer: all that both begin with.

    The last of them is a user's, or a tool's answer: an assistant's turn is part of the answer,
    also where both sides have it. Both are the `kept_turns`.
    """
    size = 0
    for one, other in zip(chosen, rejected, strict=False):
        # Of a prompt nothing is learnt: what it weighs, and what was thought, is no matter.
        if _without_thought(one) != _without_thought(other):
            break
        size += 1
    while size and chosen[size - 1].role not in ("user", "tool"):
        size -= 1
    return size


def _without_thought(turn: Turn) -> Turn:
    return turn._replace(weight=None, reasoning_content=None)


def kept_turns(turns: Sequence[Turn], answer: int) -> Sequence[Turn]:
    """Give the turns that chats are made of; `answer` is the place of the last answer.

    Those behind the last answer are left out, as a trainer learns nothing from them, and those that
    say nothing, which providers refuse; but for a tool's answer, which its call asks for. Where
    there is no answer, as in a prompt whose only answer is a rejected one, none is behind it.
    """
    return [
        turn
        for turn in turns[: answer + 1] or turns
        if turn.content or turn.tool_calls is not None or turn.role == "tool"
    ]


def message_of(turn: Turn) -> dict[str, Any]:
    """Give a turn as an object: role, content, and of the other fields those that are given.

    The calls of tools are a list, as the source has it.
    """
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    for name, value in zip(Turn._fields[2:], turn[2:], strict=True):
        if value is not None:
            message[name] = calls_in(turn) if name == "tool_calls" else value
    return message
