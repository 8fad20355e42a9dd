"""The turns of a conversation as sources write them, to `Turn`: whatever their keys and roles."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import orjson

from mindcorpus.conversations import Role, Turn
from mindcorpus.records import is_blank
from mindcorpus.sources.adapters import Wrong, json_text, looks_like_a_name, names_of, scalar_text
from mindcorpus.sources.content_parts import (
    ATTACHMENTS,
    content_of_parts,
    is_part,
    refuse_attachments,
)

#: The keys under which turns have their role and their text; the order is that of preference.
ROLE_KEYS = ("role", "from", "speaker", "author", "sender")
CONTENT_KEYS = ("content", "value", "text", "message", "utterance")
#: What each role is called, in small letters.
NAMES_OF_ROLES: Mapping[Role, tuple[str, ...]] = {
    "system": ("system",),
    "developer": ("developer",),
    "user": ("user", "human", "usr", "prompter", "client", "patient", "seeker", "help-seeker"),
    "assistant": (
        *("assistant", "gpt", "chatgpt", "bot", "chatbot", "model", "ai", "bing", "bard"),
        *("therapist", "counselor", "counsellor", "psychologist", "psychiatrist", "doctor"),
        *("supporter", "listener", "helper"),
    ),
    "tool": ("tool", "observation", "tool_response", "function_response", "ipython", "function"),
}
#: Roles whose text is a call, written as JSON.
CALLING = ("function_call", "tool_call", "tool_calls")
_ROLES = {name: role for role, names in NAMES_OF_ROLES.items() for name in names}
#: The keys under which an assistant's turn has what it thought.
_REASONING = ("reasoning_content", "reasoning", "thinking")
#: What was done to a conversation, a word each, in the order in which it was met.
Changes = dict[str, None]
LEGACY = "function-call-as-tool-call"
# The least integer that 64 bits do not hold, a negative one, has nineteen digits.
_MANY_DIGITS = re.compile("[0-9]{19}")


def role_called(name: str) -> Role | None:
    """Give the role that a name is known for; None for a name that is not."""
    return _ROLES.get(name) or _ROLES.get(name.strip().lower())


@dataclass(frozen=True)
class TurnReader:
    """Reads turns; a key that is "" is found by the names that are known."""

    role_key: str = ""
    content_key: str = ""
    roles: Mapping[str, Role] | None = None
    """What roles are called, beside the names that are known."""

    def read(self, messages: Sequence[Any], changes: Changes) -> tuple[Turn, ...]:
        """Give the turns of a list of messages; raises `Wrong` for what no turn can hold."""
        roles = self._roles
        role_key, content_key = self._keys_of(messages[0] if messages else None)
        turns: list[Turn] = []
        for at, message in enumerate(messages):
            # Nearly all turns of nearly all sources: a role and a text.
            if type(message) is dict and len(message) == 2:
                name, content = message.get(role_key), message.get(content_key)
                if type(content) is str and type(name) is str and name in roles:
                    turns.append(Turn(roles[name], content))
                    continue
            turns.append(self._turn(at, message, changes))
        return tuple(turns)

    @cached_property
    def _roles(self) -> dict[str, Role]:
        """Give the roles whose turns are nothing but a text, by name."""
        known = {name: role for name, role in _ROLES.items() if name != "function"}
        return {**known, **(self.roles or {})}

    def _keys_of(self, message: Any) -> tuple[str, str]:
        given = message if isinstance(message, dict) else {}
        return (
            self.role_key or _first(ROLE_KEYS, given) or "role",
            self.content_key or _first(CONTENT_KEYS, given) or "content",
        )

    def _turn(self, at: int, message: Any, changes: Changes) -> Turn:
        if not isinstance(message, dict):
            raise Wrong("wrong-type", f"message {at} is {type(message).__name__}, not an object")
        # In tables every turn has the keys of all, and null where it has nothing.
        given = {key: value for key, value in message.items() if value is not None}
        role_key, content_key = self._keys_of(given)
        name = given.pop(role_key, None)
        if not isinstance(name, str):
            raise Wrong(
                "wrong-type",
                f"message {at} has no role that is text; it has {names_of(message)}; "
                "role_key and content_key name the keys of role and text",
            )
        role = (self.roles or {}).get(name) or role_called(name)
        legacy = name.strip().lower()
        content = given.pop(content_key, None)
        calls = None
        if role is None and legacy in CALLING:
            role, calls, content = "assistant", _calls_in(at, content), None
            changes[LEGACY] = None
        elif role is None:
            raise Wrong(
                "unknown-role",
                f"the role of message {at} is not known; roles tells what each name stands for",
            )
        elif role == "tool" and legacy == "function":
            changes[LEGACY] = None
        text = self._content(at, role, content, changes)
        turn = _with_fields(at, Turn(role, text, tool_calls=calls), given, changes)
        silent = turn[1:] == Turn(role, None, turn.name, turn.weight)[1:]
        if silent and given and content_key not in message:
            raise Wrong(
                "wrong-type",
                f"message {at} has no text; it has {names_of(message)}; content_key names its key",
            )
        return turn

    def _content(self, at: int, role: Role, content: Any, changes: Changes) -> str | None:
        if content is None or isinstance(content, str):
            return content
        if isinstance(content, dict | list):
            if role == "tool" and not is_part(content):
                changes["tool-result-as-json"] = None
                return json_text(content, f"the text of message {at}")
            return content_of_parts(at, content, changes)
        text = scalar_text(content)
        if text is None:
            raise Wrong("wrong-type", f"the text of message {at} is {type(content).__name__}")
        if text:
            changes["number-as-text"] = None
        return text


def _first(keys: Sequence[str], given: Mapping[str, Any]) -> str:
    return next((key for key in keys if given.get(key) is not None), "")


def _with_fields(at: int, turn: Turn, given: dict[str, Any], changes: Changes) -> Turn:
    """Give a turn what stands beside its text; `given` is left with nothing that was read."""
    if not given:
        return turn
    fields: dict[str, Any] = {}
    for key in ("name", "tool_call_id"):
        text = scalar_text(given.get(key))
        if text is not None:
            del given[key]
            fields[key] = text or None
    for key in _REASONING:
        if "reasoning_content" not in fields and isinstance(given.get(key), str):
            fields["reasoning_content"] = given.pop(key) or None
    if "weight" in given:
        fields["weight"] = _weight(at, given.pop("weight"))
    elif isinstance(given.get("train"), bool):
        # Axolotl's word for it: https://docs.axolotl.ai/docs/dataset-formats/conversation.html
        fields["weight"] = int(given.pop("train"))
    fields["tool_calls"] = turn.tool_calls or _calls(at, given, changes)
    _leave_out(at, given, changes)
    return turn._replace(**fields)


def _calls(at: int, given: dict[str, Any], changes: Changes) -> str | None:
    calls = json_list(given.pop("tool_calls", None), f"tool_calls of message {at}")
    if calls is None and given.get("function_call"):
        calls = _calls_in(at, given.pop("function_call"))
        changes[LEGACY] = None
    return calls


def _leave_out(at: int, given: Mapping[str, Any], changes: Changes) -> None:
    """Count by name what no turn has a place for; raises `Wrong` for pictures and their like."""
    for key, value in given.items():
        refuse_attachments(key, value, f"message {at}")
        if key not in ATTACHMENTS and not _says_nothing(value):
            changes[f"turn-key-left-out:{key if looks_like_a_name(key) else '…'}"] = None


def _says_nothing(value: Any) -> bool:
    return isinstance(value, str | list | dict) and not value


def _weight(at: int, weight: Any) -> int:
    if isinstance(weight, int | float) and weight in (0, 1):
        return int(weight)
    raise Wrong("wrong-type", f"the weight of message {at} is neither 0 nor 1")


def _calls_in(at: int, content: Any) -> str:
    """Give the list of calls, as JSON text, of a call that is written in a turn of its own."""
    what = f"the call of message {at}"
    call = parsed(content, what) if isinstance(content, str) else content
    calls = call if isinstance(call, list) else [call]
    if not calls or not all(isinstance(each, dict) for each in calls):
        raise Wrong("wrong-type", f"{what} is not an object")
    return json_text([each if "function" in each else _wrapped(each) for each in calls], what)


def _wrapped(function: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": function}


def parsed(text: str, what: str) -> Any:
    """Read a text that should be JSON; raises `Wrong` where it is not."""
    try:
        return exactly(text)
    except (ValueError, RecursionError):
        raise Wrong("wrong-type", f"{what} is text that is not JSON") from None


def exactly(text: str) -> Any:
    """Read JSON text, integers of any size as they stand; raises `ValueError`, `RecursionError`."""
    value = orjson.loads(text)
    # The standard module takes more than JSON is, but does not round.
    return json.loads(text) if _MANY_DIGITS.search(text) else value


def json_list(value: Any, what: str) -> str | None:
    """Give a list of objects, or the JSON text of one, as JSON text; None for an empty one."""
    if isinstance(value, str):
        if is_blank(value):
            return None
        value = parsed(value, what)
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Wrong("wrong-type", f"{what} is not a list of objects")
    return json_text(value, what)


def functions_as_tools(functions: Any) -> str | None:
    """Give the tools' schemas, as JSON text, of the older list of functions."""
    found = json_list(functions, "'functions'")
    if found is None:
        return None
    schemas = cast("list[dict[str, Any]]", exactly(found))
    return json_text([_wrapped(each) for each in schemas], "'functions'")
