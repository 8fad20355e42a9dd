"""Conversations with too many tokens, cut at the end: each answer keeps all that it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mindcorpus.chat_messages import messages_of
from mindcorpus.conversations import INSTRUCTING, Turn, kept_turns, last_answer
from mindcorpus.corpus import turns
from mindcorpus.corpus.turns import turns_of
from mindcorpus.tokens.chats import PER_MESSAGE, PER_REPLY, PER_ROLE, count_messages
from mindcorpus.tokens.tokenizer import Tokenizer

#: The word for what was done to a conversation that was cut.
CUT = "turns-cut"
#: What stands around a message's text.
AROUND = PER_MESSAGE + PER_ROLE


def kept_of(said: Sequence[Turn] | None) -> Sequence[Turn]:
    """Give the turns that chats are made of; none of nothing."""
    return kept_turns(said, last_answer(said)) if said else ()


def first_answer(said: Sequence[Turn]) -> int:
    """Give the place of the first turn that is an answer, or of the last one if there is none."""
    return next((at for at, turn in enumerate(said) if turn.is_answer), len(said) - 1)


@dataclass(frozen=True)
class Cut:
    """To how many tokens conversations are cut, and what else counts among them."""

    tokenizer: Tokenizer
    most: int
    prompt: int
    """Tokens of the configured system message, for a conversation without its own."""
    policy: str

    def turns(self, said: Sequence[Turn], tools: str | None) -> tuple[tuple[Turn, ...], int]:
        """Give the turns up to the last answer that fits, and the tokens of these.

        The first answer always stays.
        """
        kept = kept_of(said)
        (counts,) = count_messages(self.tokenizer, [messages_of(kept)])
        own = [turn.role in INSTRUCTING for turn in kept]
        spent = PER_REPLY + (self.tokenizer.counts([tools])[0] if tools else 0)
        end, held = first_answer(kept), 0
        for at, (turn, tokens) in enumerate(zip(kept, counts, strict=True)):
            spent += 0 if own[at] and self.policy != "own" else tokens
            if not turn.is_answer:
                continue
            # Its own instructions may stand behind what is kept; then it has the configured one.
            whole = spent + (0 if self.policy == "own" and any(own[: at + 1]) else self.prompt)
            if whole > self.most and at > end:
                break
            end, held = max(end, at), whole
        stop = next(at for at, turn in enumerate(said) if turn is kept[end]) + 1
        return tuple(said[:stop]), held


class WasCut(NamedTuple):
    """A record whose conversation was cut."""

    row: int
    """Of its table."""
    source: str
    tokens: int
    """What it counts now."""


def cut_table(table: Any, over: Any, cut: Cut) -> tuple[Any, Sequence[WasCut]]:
    """Cut the conversations of some rows of a table; gives also which were.

    `over` tells which rows have too many tokens: shape (rows,).
    """
    if not over.any():
        return table, ()
    said = list(turns_of(table.column("messages")))
    tools, sources = (table.column(name).to_pylist() for name in ("tools", "source"))
    changed = []
    for at in np.flatnonzero(over).tolist():
        whole = said[at]
        assert whole is not None, "a record without turns cannot be cut, and was to be left out"
        said[at], tokens = cut.turns(whole, tools[at])
        changed.append(WasCut(at, sources[at], tokens))
    place = table.column_names.index("messages")
    column = turns.messages_array(said)
    return table.set_column(place, turns.FIELDS[0], column), changed
