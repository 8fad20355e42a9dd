"""Check one example, a conversation in memory as JSON values, against the published schema.

It knows of no file, so that whatever has a conversation can ask what a trainer would say of it.
The sources of the figures and lists stand in `chat_rules`, which owns the codes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple

from mindcorpus.formats.chat_turns import (
    LETTERS,
    NO_ROLE,
    Departure,
    of_answers,
    of_call,
    of_function,
    of_function_call,
    of_order,
    of_tool,
)

#: Guide, "Token limits": training examples of gpt-4o-2024-08-06 and gpt-4o-mini-2024-07-18.
MAX_EXAMPLE_TOKENS = 65_536
#: A rule of thumb for English text, not a count: OpenAI Help Center, "What are tokens".
CHARACTERS_PER_TOKEN = 4

ROLES = frozenset(LETTERS)
#: The roles that need nothing but content.
_PLAIN = {role: letter for role, letter in LETTERS.items() if role not in ("tool", "function")}
#: How many orders of messages are remembered, and of how many messages each at the most.
_ORDERS = 1_000
_ORDER_LENGTH = 100
_ASSISTANT = frozenset({"assistant"})


class _Key(NamedTuple):
    roles: frozenset[str]
    kinds: tuple[type, ...]


_TOP_KEYS: Mapping[str, type] = {
    "messages": object,
    "tools": list,
    "parallel_tool_calls": bool,
    "functions": list,
}
_MESSAGE_KEYS: Mapping[str, _Key] = {
    "role": _Key(ROLES, (object,)),
    "content": _Key(ROLES, (object,)),
    "name": _Key(ROLES, (str,)),
    "weight": _Key(_ASSISTANT, (object,)),
    "tool_calls": _Key(_ASSISTANT, (list,)),
    "function_call": _Key(_ASSISTANT, (dict, NoneType)),
    "refusal": _Key(_ASSISTANT, (str, NoneType)),
    "audio": _Key(_ASSISTANT, (dict, NoneType)),
    "tool_call_id": _Key(frozenset({"tool"}), (str,)),
}
_REQUIRED: Mapping[str, str] = {"tool": "tool_call_id", "function": "name"}
#: How the items of a top key are checked.
_DEFINITIONS: Mapping[str, Callable[[Any, str], Iterable[Departure]]] = {
    "tools": of_tool,
    "functions": of_function,
}
_PARTS: Mapping[str, type] = {
    "text": str,
    "refusal": str,
    "image_url": dict,
    "input_audio": dict,
    "file": dict,
}

_KINDS: Mapping[type, str] = {
    NoneType: "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}


def kind_of(value: Any) -> str:
    """Name the JSON type of a value that was read from JSON."""
    return _KINDS[type(value)]


def _named(key: str) -> str:
    # A key is named if it looks like one; anything longer could be somebody's text.
    return key if len(key) <= 40 and key.isascii() and key.isidentifier() else "(an odd key)"


def _learnt(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.get("role") == "assistant"
        and message.get("weight", 1) != 0
    )


class _Order:
    """What is said of examples whose messages have one order, and how many there are."""

    __slots__ = ("departures", "times")

    def __init__(self, order: str) -> None:
        self.departures = of_order(order)
        self.times = 0


class Examples:
    """Checks examples one by one, tells each departure to `add(code, reason)`, and counts."""

    def __init__(self, add: Callable[[str, str], None]) -> None:
        self._add = add
        self.count = 0
        self.characters = 0
        self._letters: Counter[str] = Counter()
        # Most examples of a file have one of a few orders: each is judged once.
        self._orders: dict[str, _Order] = {}

    @property
    def roles(self) -> dict[str, int]:
        """How many messages each role has so far."""
        letters = self._letters.copy()
        for order, known in self._orders.items():
            for letter in order:
                letters[letter] += known.times
        return {role: letters[letter] for role, letter in LETTERS.items() if letters[letter]}

    def check(self, row: dict[str, Any]) -> None:
        """Apply the rules for one example."""
        self.count += 1
        if len(row) > 1:
            self._top_keys(row)
        messages = row.get("messages")
        if isinstance(messages, list) and messages:
            self._messages(messages)
        elif isinstance(messages, list):
            self._add("messages-empty", "messages is an empty list")
        elif "messages" in row:
            self._add("messages-not-a-list", f"messages is {kind_of(messages)}, not a list")
        else:
            self._add("messages-missing", "there is no key messages")

    def are_fine(self, order: str, characters: int) -> bool:
        """Tell whether nothing is said of ordinary messages in an order, of so many at the most."""
        if characters > MAX_EXAMPLE_TOKENS * CHARACTERS_PER_TOKEN:
            return False
        if order not in self._orders and len(self._orders) >= _ORDERS:
            return False
        return not self._orders.setdefault(order, _Order(order)).departures

    def take(self, order: str, sizes: Sequence[int]) -> None:
        """Count such examples, by how many characters each has."""
        self.count += len(sizes)
        self.characters += sum(sizes)
        self._orders[order].times += len(sizes)

    def _all(self, departures: Iterable[Departure]) -> None:
        for code, reason in departures:
            self._add(code, reason)

    def _each(
        self, check: Callable[[Any, str], Iterable[Departure]], values: Any, where: str
    ) -> None:
        for at, value in enumerate(values):
            self._all(check(value, f"{where}[{at}]"))

    def _top_keys(self, row: dict[str, Any]) -> None:
        for key, value in row.items():
            kind = _TOP_KEYS.get(key)
            if kind is None:
                self._add("unknown-key", f"{_named(key)} is not in the published schema")
            elif not isinstance(value, kind):
                self._add("wrong-type", f"{key} is {kind_of(value)}")
            elif check := _DEFINITIONS.get(key):
                self._each(check, value, key)

    def _messages(self, messages: list[Any]) -> None:
        characters = 0
        order = ""
        odd = False
        for index, message in enumerate(messages):
            # The ordinary message, a known role and a text, is done in these few lines.
            if isinstance(message, dict) and len(message) == 2:
                role, content = message.get("role"), message.get("content")
                if (
                    isinstance(role, str)
                    and isinstance(content, str)
                    and content
                    and not content.isspace()
                    and (letter := _PLAIN.get(role))
                ):
                    order += letter
                    characters += len(content)
                    continue
            odd = True
            letter, length = self._message(message, f"messages[{index}]")
            order += letter
            characters += length
        self.characters += characters
        self._in_order(order)
        if odd:
            self._all(of_answers(messages))
            if order[-1] == "a" and not any(map(_learnt, messages)):
                self._add("nothing-to-learn", "every message of the assistant has weight 0")
        if characters > MAX_EXAMPLE_TOKENS * CHARACTERS_PER_TOKEN:
            tokens = characters // CHARACTERS_PER_TOKEN
            self._add(
                "truncated", f"about {tokens:,} tokens by estimate, over {MAX_EXAMPLE_TOKENS:,}"
            )

    def _in_order(self, order: str) -> None:
        known = self._orders.get(order)
        if known is None:
            known = _Order(order)
            if len(order) <= _ORDER_LENGTH and len(self._orders) < _ORDERS:
                self._orders[order] = known
            else:
                self._letters.update(order)
        known.times += 1
        if known.departures:
            self._all(known.departures)

    def _message(self, message: Any, where: str) -> tuple[str, int]:
        """Check a message that is not of the ordinary form; give its letter and its characters."""
        if not isinstance(message, dict):
            self._add("message-not-an-object", f"{where} is {kind_of(message)}, not an object")
            return NO_ROLE, 0
        role = message.get("role")
        if not (isinstance(role, str) and role in ROLES):
            if "role" in message:
                self._add("role-unknown", f"{where}.role is none of {', '.join(sorted(ROLES))}")
            else:
                self._add("role-missing", f"{where} has no role")
            role = ""
        for key, value in message.items():
            self._key(key, value, role, where)
        required = _REQUIRED.get(role)
        if required and required not in message:
            self._add("key-missing", f"{where} has no {required}")
        return LETTERS.get(role, NO_ROLE), self._content(message, role, where)

    def _key(self, key: str, value: Any, role: str, where: str) -> None:
        known = _MESSAGE_KEYS.get(key)
        if known is None:
            self._add(
                "message-unknown-key", f"{where}.{_named(key)} is not in the published schema"
            )
        elif role and role not in known.roles:
            self._add("key-wrong-role", f"{where}.{key} stands at a message of role {role}")
        elif not isinstance(value, known.kinds):
            self._add("wrong-type", f"{where}.{key} is {kind_of(value)}")
        elif key == "tool_calls":
            if not value:
                self._add("wrong-type", f"{where}.{key} is an empty list")
            self._each(of_call, value, f"{where}.{key}")
        elif key == "function_call" and value is not None:
            self._all(of_function_call(value, f"{where}.{key}"))
        elif key == "weight" and (isinstance(value, bool) or value not in (0, 1)):
            self._add("weight", f"{where}.{key} is neither 0 nor 1")

    def _content(self, message: dict[str, Any], role: str, where: str) -> int:
        content = message.get("content")
        where = f"{where}.content"
        calls = role == "assistant" and (message.get("tool_calls") or message.get("function_call"))
        if isinstance(content, str):
            if not content and not calls:
                self._add("content-empty", f"{where} is an empty text")
            elif content.isspace():
                self._add("content-blank", f"{where} is nothing but blanks")
            return len(content)
        if isinstance(content, list):
            if not content:
                self._add("content-empty", f"{where} is an empty list")
            return sum(self._part(part, f"{where}[{at}]") for at, part in enumerate(content))
        if content is not None:
            self._add("content-wrong-type", f"{where} is {kind_of(content)}")
        elif not calls:
            self._add(
                "content-missing", f"{where} is {'null' if 'content' in message else 'absent'}"
            )
        return 0

    def _part(self, part: Any, where: str) -> int:
        kind = part.get("type") if isinstance(part, dict) else None
        expected = _PARTS.get(kind) if isinstance(kind, str) else None
        if expected is None:
            self._add("content-part", f"{where} is not an object with a published type")
            return 0
        value = part.get(kind)
        if not (isinstance(value, expected) and value):
            self._add("content-part", f"{where}.{kind} is absent, empty or of the wrong type")
            return 0
        return len(value) if isinstance(value, str) else 0
