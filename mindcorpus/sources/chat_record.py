"""A conversation to a record: its flat texts, its turns where these do not say all, its drops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mindcorpus.conversations import (
    Conversation,
    Turn,
    flatten,
    is_plain,
    last_answer,
    readable,
)
from mindcorpus.records import is_blank
from mindcorpus.sources.adapters import Kept, Wrong
from mindcorpus.sources.chat_turns import LEGACY, Changes, functions_as_tools, json_list
from mindcorpus.sources.content_parts import refuse_attachments

#: Columns beside the messages that hold what their texts speak of.
_BESIDE = ("image", "images", "audio", "audios", "video", "videos")


def chat_record(
    number: int, chat: Conversation, tags: tuple[str, ...], changes: Iterable[str]
) -> Kept:
    """Make the record of a conversation, or of two of them that are a pair.

    Raises `Wrong` where nothing in it is an answer to learn from, or nothing stands before it.
    """
    turns = chat.turns
    answer = last_answer(turns)
    if answer < 0:
        raise _unanswered(turns)
    if not any(_asks(turn) for turn in turns[:answer]):
        raise Wrong("blank-input", "no user message before the last assistant message")
    changed = tuple(changes)
    if answer + 1 < len(turns):
        changed += ("later-turns-left-out",)
    input_, response = flatten(turns, answer)
    rejected, other = "", last_answer(chat.rejected)
    if other < 0:
        if chat.rejected:
            changed += ("rejected-left-out",)
        chat = chat._replace(rejected=())
    else:
        rejected = readable(chat.rejected[other])
    whole = None if _says_no_more(chat) else chat
    return Kept(number, input_, response, rejected, tags, changed, conversation=whole)


def _asks(turn: Turn) -> bool:
    return turn.role == "user" and not is_blank(turn.content or "")


def _unanswered(turns: Iterable[Turn]) -> Wrong:
    weights = [turn.weight for turn in turns if turn.role == "assistant"]
    if not weights:
        return Wrong("blank-response", "no assistant message")
    if not any(weight != 0 for weight in weights):
        return Wrong("nothing-to-learn", "every assistant message has weight 0")
    return Wrong("blank-response")


def _says_no_more(chat: Conversation) -> bool:
    """Tell whether input, response and rejected response say all."""
    if not chat.rejected:
        return is_plain(chat)
    chosen, rejected = (chat._replace(turns=each, rejected=()) for each in (chat[0], chat[1]))
    return is_plain(chosen) and is_plain(rejected) and chat.turns[0] == chat.rejected[0]


def tools_of(row: Mapping[str, Any], changes: Changes) -> tuple[str | None, bool | None]:
    """Give the tools' schemas that a row has beside its messages, and whether calls are parallel.

    Raises `Wrong` where they are not what they should be, or the row has pictures beside them.
    """
    for key in _BESIDE:
        if key in row:
            refuse_attachments(key, row[key], "the row")
    tools = json_list(row["tools"], "'tools'") if "tools" in row else None
    if tools is None and "functions" in row:
        tools = functions_as_tools(row["functions"])
        if tools is not None:
            changes[LEGACY] = None
    return tools, _parallel(row["parallel_tool_calls"]) if "parallel_tool_calls" in row else None


def _parallel(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in ("", "true", "false"):
        return None if not word else word == "true"
    raise Wrong("wrong-type", "'parallel_tool_calls' is neither true nor false")
