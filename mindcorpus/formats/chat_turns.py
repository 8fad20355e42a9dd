"""Check how an example's messages follow one another, and how tools are called and answered.

The sources of the rules stand in `chat_rules`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

#: Each role's letter: the order of an example's messages is a text of them.
LETTERS: Mapping[str, str] = {
    "system": "s",
    "developer": "d",
    "user": "u",
    "assistant": "a",
    "tool": "t",
    "function": "f",
}
#: Stands for a message without a role that is known.
NO_ROLE = "-"
_TWICE = re.compile("uu|aa")
_LATE = re.compile("[uatf].*?([sd])")
#: Schema, `FunctionObject.name`.
_NAME = re.compile("[A-Za-z0-9_-]{1,64}")
_FUNCTION = "function"


class Departure(NamedTuple):
    """One departure from a rule: its code, and where and how."""

    code: str
    reason: str


def of_order(order: str) -> tuple[Departure, ...]:
    """Tell what is wrong with the order of an example's messages, each fault at its first place."""
    found = []
    user, assistant = order.find("u"), order.find("a")
    if user < 0:
        found.append(Departure("no-user-message", "no message is the user's"))
    elif 0 <= assistant < user:
        found.append(
            Departure(
                "assistant-first",
                f"messages[{assistant}] is the assistant's, before any of the user",
            )
        )
    if late := _LATE.search(order):
        found.append(
            Departure("system-not-first", f"messages[{late.end() - 1}] instructs, but not first")
        )
    if twice := _TWICE.search(order):
        at = twice.start()
        whose = "user" if order[at] == "u" else "assistant"
        found.append(
            Departure("consecutive-turns", f"messages[{at}] and [{at + 1}] are both the {whose}'s")
        )
    if order[-1] != "a":
        found.append(
            Departure("last-not-assistant", f"messages[{len(order) - 1}] is not the assistant's")
        )
    return tuple(found)


class _Call(NamedTuple):
    """What an answer names to say which call it belongs to."""

    role: str
    key: str


def of_answers(messages: Sequence[Any]) -> Iterator[Departure]:
    """Match the answers of tools with the calls before them, and tell what does not fit.

    Calls in the last message wait for nothing: to make them is what is to be learnt.
    """
    waiting: dict[_Call, int] = {}
    asked = -1  # the message with calls whose answers may stand here
    for at, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("tool", "function"):
            asked = at
            for call in _calls(message) if role == "assistant" else ():
                if call in waiting:
                    yield _unanswered(waiting[call])
                waiting[call] = at
            continue
        key = message.get("tool_call_id" if role == "tool" else "name")
        if not isinstance(key, str):
            continue  # told as a key that is missing, or of the wrong type
        called = waiting.pop(_Call(role, key), None)
        if called is None:
            yield Departure("tool-answer-unasked", f"messages[{at}] answers no call that waits")
        elif called != asked:
            yield Departure(
                "tool-answer-misplaced",
                f"messages[{at}] does not stand right behind its call in messages[{called}]",
            )
    for called in waiting.values():
        if called < len(messages) - 1:
            yield _unanswered(called)


def _unanswered(at: int) -> Departure:
    return Departure("call-unanswered", f"a call in messages[{at}] has no answer")


def _calls(message: Mapping[str, Any]) -> Iterator[_Call]:
    """Name the calls of a message that can be answered."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        key = call.get("id") if isinstance(call, dict) else None
        if isinstance(key, str):
            yield _Call("tool", key)
    function = message.get("function_call")
    name = function.get("name") if isinstance(function, dict) else None
    if isinstance(name, str):
        yield _Call("function", name)


def of_call(call: Any, where: str) -> Iterator[Departure]:
    """Check one call of a message's `tool_calls`."""
    if not isinstance(call, dict):
        yield Departure("tool-call", f"{where} is not an object")
        return
    key = call.get("id")
    if not (isinstance(key, str) and key):
        yield Departure("tool-call", f"{where} has no id")
    if call.get("type") != _FUNCTION:
        yield Departure("tool-call", f"{where}.type is not function")
    function = call.get(_FUNCTION)
    if isinstance(function, dict):
        yield from of_function_call(function, f"{where}.function")
    else:
        yield Departure("tool-call", f"{where} has no function")


def of_function_call(function: Any, where: str) -> Iterator[Departure]:
    """Check what a call says of its function: a name, and arguments as JSON text."""
    yield from _of_name(function, where)
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        how = "not a text" if "arguments" in function else "absent"
        yield Departure("tool-arguments", f"{where}.arguments is {how}")
        return
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        yield Departure("tool-arguments", f"{where}.arguments is not JSON")
        return
    if not isinstance(value, dict):
        yield Departure("tool-arguments", f"{where}.arguments is JSON, but not an object")


def of_tool(tool: Any, where: str) -> Iterator[Departure]:
    """Check one definition of an example's `tools`."""
    if not isinstance(tool, dict):
        yield Departure("tool-definition", f"{where} is not an object")
        return
    if tool.get("type") != _FUNCTION:
        yield Departure("tool-definition", f"{where}.type is not function")
    function = tool.get(_FUNCTION)
    if isinstance(function, dict):
        yield from of_function(function, f"{where}.function")
    else:
        yield Departure("tool-definition", f"{where} has no function")


def of_function(function: Any, where: str) -> Iterator[Departure]:
    """Check one definition of a function: of a tool, or of an example's older `functions`."""
    if not isinstance(function, dict):
        yield Departure("tool-definition", f"{where} is not an object")
        return
    yield from _of_name(function, where)
    if not isinstance(function.get("parameters", {}), dict):
        yield Departure("tool-definition", f"{where}.parameters is not an object")


def _of_name(function: Mapping[str, Any], where: str) -> Iterator[Departure]:
    name = function.get("name")
    if not (isinstance(name, str) and name):
        yield Departure("function-name", f"{where} has no name")
    elif not _NAME.fullmatch(name):
        yield Departure("function-name", f"{where}.name is not 1 to 64 of a-z, A-Z, 0-9, _ and -")
