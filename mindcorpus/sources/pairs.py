"""Prompt, chosen and rejected answer, each a text or messages, to one record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mindcorpus.conversations import INSTRUCTING, Conversation, Role, Turn, last_answer
from mindcorpus.records import is_blank
from mindcorpus.sources.adapters import Kept, Wrong, look_up, text_of
from mindcorpus.sources.chat_record import chat_record
from mindcorpus.sources.chat_turns import CONTENT_KEYS, ROLE_KEYS, Changes, TurnReader, exactly

_GOOD = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
Turns = tuple[Turn, ...]
#: The tools' schemas, and whether calls are parallel.
Tools = tuple[str | None, bool | None]


def messages_in_cell(value: Any, role_keys: Iterable[str] = ROLE_KEYS) -> list[Any] | None:
    """Give the messages that a cell holds, as they are or as JSON text; None if it holds none."""
    if isinstance(value, str):
        if value[:1] not in ("[", "{"):
            return None
        try:
            value = exactly(value)
        except (ValueError, RecursionError):
            return None
    messages = [value] if isinstance(value, dict) else value
    if not isinstance(messages, list) or not messages:
        return None
    return messages if all(is_message(each, role_keys) for each in messages) else None


def is_message(value: Any, role_keys: Iterable[str] = ROLE_KEYS) -> bool:
    """Tell whether a value has a role, and a place for what is said or called."""
    return (
        isinstance(value, dict)
        and any(isinstance(value.get(key), str) for key in role_keys)
        and not value.keys().isdisjoint((*CONTENT_KEYS, "tool_calls"))
    )


def side(
    row: Mapping[str, Any], column: str, role: Role, reader: TurnReader, changes: Changes
) -> Turns:
    """Give the turns of one side of a record; a text is a turn of `role`, a blank one is none.

    Raises `Wrong` for what is neither text nor messages.
    """
    keys = (reader.role_key,) if reader.role_key else ROLE_KEYS
    messages = messages_in_cell(look_up(row, column), keys)
    if messages is not None:
        return reader.read(messages, changes)
    text = text_of(row, column, changes)
    return () if is_blank(text) else (Turn(role, text),)


def pair_record(
    number: int,
    prompt: Turns,
    sides: tuple[Turns, Turns],
    tools: Tools,
    tags: tuple[str, ...],
    changes: Changes,
) -> Kept:
    """Make the record of a prompt with its chosen and its rejected answer; the latter may be ().

    Each side may repeat the prompt or go on from it. Raises `Wrong` where the sides answer other
    questions, or the chosen one is nothing to learn from.
    """
    if not sides[0]:
        raise Wrong("blank-response")
    chosen, rejected = (continued(prompt, each) if each else () for each in sides)
    if rejected and _question(chosen) != _question(rejected):
        raise Wrong("no-shared-beginning", "the chosen and the rejected answer are to other turns")
    return chat_record(number, Conversation(chosen, rejected, *tools), tags, changes)


def rejected_record(
    number: int,
    prompt: Turns,
    rejected: Turns,
    tools: Tools,
    tags: tuple[str, ...],
    changes: Changes,
) -> Kept:
    """Make the record of an answer that is a bad one: its rejected response, and no other."""
    if not rejected:
        raise Wrong("blank-response")
    chat = Conversation(continued(prompt, rejected), (), *tools)
    bad = chat_record(number, chat, tags, changes)
    whole = bad.conversation
    if whole is not None:
        turns = whole.turns
        whole = whole._replace(turns=turns[: last_answer(turns)], rejected=turns)
    return bad._replace(response="", rejected_response=bad.response, conversation=whole)


def is_good(row: Mapping[str, Any], label: str) -> bool:
    """Tell whether a column says that a row's answer is a good one; raises `Wrong` for neither."""
    good = _GOOD.get(str(look_up(row, label)).strip().lower())
    if good is None:
        raise Wrong("unknown-label", f"{label!r} is neither true nor false")
    return good


def continued(prompt: Turns, side_: Turns) -> Turns:
    """Give a whole conversation: a side that does not hold the prompt goes on from it."""
    asked, said = _spoken(prompt), _spoken(side_)
    within = said[: len(asked)] == asked or (len(asked) == 1 and asked[0] in said)
    if not within or not asked:
        return (*prompt, *_new(asked, said, side_))
    if any(turn.role in INSTRUCTING for turn in side_):
        return side_
    return (*(turn for turn in prompt if turn.role in INSTRUCTING), *side_)


def _new(asked: list[tuple[str, str]], said: list[tuple[str, str]], side_: Turns) -> Turns:
    """Give what a side says beyond the end of the prompt, which it may begin with once more."""
    most = min(len(asked), len(said))
    again = next((n for n in range(most, 0, -1) if asked[-n:] == said[:n]), 0)
    # An answer that is said twice is said twice; a question is asked once.
    if not again or said[again - 1][0] != "user" or len(said) == again:
        return side_
    spoken = [turn for turn in side_ if turn.role not in INSTRUCTING]
    return tuple(spoken[again:])


def _spoken(turns: Turns) -> list[tuple[str, str]]:
    return [
        (turn.role, (turn.content or "").strip()) for turn in turns if turn.role not in INSTRUCTING
    ]


def _question(turns: Turns) -> tuple[str, str] | None:
    return next((each for each in _spoken(turns) if each[0] == "user"), None)
