"""What an index says of a conversation: its keys, what it holds, and how long its messages are.

Its turns are looked at once: folding their texts is most of the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from mindcorpus.chat_messages import messages_of, tools_json
from mindcorpus.conversations import (
    HEADINGS,
    INSTRUCTING,
    ONLY_TEXT,
    Conversation,
    Turn,
    flatten,
    kept_turns,
    last_answer,
    readable,
    what_it_holds,
)
from mindcorpus.records import Said, fold

_SEPARATOR = b"\0"
_FOLDED_HEADINGS = {role: f"{heading}: ".encode() for role, heading in HEADINGS.items()}


class ChatFacts(NamedTuple):
    """What is known of a conversation without its text."""

    said: Said
    holds: str
    """Words of `conversations.HOLDS`."""
    turns_json: int
    """Bytes of the turns that chats are made of, as messages with commas between them."""
    system_json: int
    """Bytes of those of them that instruct, with a comma each."""
    tools_json: int
    """Bytes of its tools, as they stand behind the messages."""


def facts_of(chat: Conversation, input_: str, response: str) -> ChatFacts:
    """Look at a conversation, and the texts of its record; these may be another view of it.

    Raises `UnicodeEncodeError` for lone surrogates.
    """
    # A prompt whose only answer is a rejected one may hold answers of before: none is this one's.
    answer = last_answer(chat.turns) if response else -1
    kept = kept_turns(chat.turns, answer)
    messages = messages_of(kept)
    system = [message for message in messages if message["role"] in INSTRUCTING]
    said = _said(chat, kept, answer)
    if said.flat and not _is_flat_view(chat.turns, answer, input_, response):
        said = said._replace(flat=None)
    return ChatFacts(
        said,
        " ".join(what_it_holds(chat, kept, answer)),
        len(orjson.dumps(messages)) - 2,
        sum(len(orjson.dumps(message)) + 1 for message in system),
        len(tools_json(chat.tools, chat.parallel_tool_calls)),
    )


def _is_flat_view(turns: Sequence[Turn], answer: int, input_: str, response: str) -> bool:
    """Tell whether two texts are the flat view of turns, by as little as tells it."""
    if any(turn.tool_calls is not None for turn in turns[: answer + 1]):
        return flatten(turns, answer) == (input_, response)
    before = [turn for turn in turns[:answer] if turn.role not in INSTRUCTING]
    size = sum([len(turn.content or "") for turn in before])
    if len(before) != 1 or before[0].role != "user":
        size += sum([len(HEADINGS[turn.role]) + 4 for turn in before]) - 2
    ends = input_.endswith(before[-1].content or "") if before else not input_
    return len(input_) == size and ends and response == (turns[answer].content or "")


def has_nul(chat: Conversation) -> bool:
    """Tell whether a text of any turn has a NUL."""
    turns = (*chat.turns, *chat.rejected)
    if any("\0" in turn.content for turn in turns if turn.content):
        return True
    others = (text for turn in turns if turn[2:] != ONLY_TEXT for text in turn[2:])
    return any(isinstance(text, str) and "\0" in text for text in others)


def _said(chat: Conversation, kept: Sequence[Turn], last: int) -> Said:
    """Give what of a conversation is compared."""
    turns = chat.turns
    folded = _folded(turns)
    whole = _compared(turns, folded)
    answer = whole if len(kept) == len(turns) else _compared(kept, _folded(kept))
    rejected = _compared(chat.rejected, _folded(chat.rejected))
    schemas = (chat.tools or "").encode()
    return Said(
        whole=_SEPARATOR.join((whole, rejected, schemas)),
        answer=_SEPARATOR.join((answer, schemas)),
        opening=_opening(turns, folded),
        flat=_flat(turns, folded, last),
    )


def _folded(turns: Sequence[Turn]) -> list[bytes]:
    """Fold the contents of turns, all at once: a call for each would cost more than the folding."""
    if not turns:
        return []
    # No content has a NUL: records with one are dropped. Ends are stripped first, so that no blank
    # stands beside one.
    joined = b"\0".join([(turn.content or "").strip().encode() for turn in turns])
    return fold(joined).split(_SEPARATOR)


def _compared(turns: Sequence[Turn], folded: Sequence[bytes]) -> bytes:
    """Give turns in the form in which conversations are compared; equal ones say the same."""
    pieces: list[bytes] = []
    for turn, content in zip(turns, folded, strict=True):
        pieces += (turn.role.encode(), content)
        # Seldom there, so that nothing is said of those that are not; 1 is what a weight is.
        if turn[2:] != ONLY_TEXT:
            for name, value in zip(Turn._fields[2:], turn[2:], strict=True):
                if value is not None and value != 1:
                    pieces += (name.encode(), str(value).encode())
        pieces.append(b"")
    return _SEPARATOR.join(pieces)


def _readable(turn: Turn, folded: bytes) -> bytes:
    """Give what `fold` gives of a turn's readable text."""
    return folded if turn.tool_calls is None else fold(readable(turn).encode())


def _opening(turns: Sequence[Turn], folded: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Give the first text of the user and of the assistant; None where one has none."""
    found: list[bytes] = []
    for role in ("user", "assistant"):
        at = next((at for at, turn in enumerate(turns) if turn.role == role and turn.content), -1)
        if at < 0:
            return None
        found.append(_readable(turns[at], folded[at]))
    first, reply = found
    return first, reply


def _flat(
    turns: Sequence[Turn], folded: Sequence[bytes], answer: int
) -> tuple[bytes, bytes] | None:
    """Give what `fold` gives of the flat view's texts; None where there is no answer."""
    if answer < 0:
        return None
    before = [at for at in range(answer) if turns[at].role not in INSTRUCTING]
    response = _readable(turns[answer], folded[answer])
    if len(before) == 1 and turns[before[0]].role == "user":
        return _readable(turns[before[0]], folded[before[0]]), response
    said = [_FOLDED_HEADINGS[turns[at].role] + _readable(turns[at], folded[at]) for at in before]
    # A turn without a text leaves its heading alone, and no second blank.
    return b" ".join([text.rstrip(b" ") for text in said]), response
