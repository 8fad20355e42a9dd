"""What whole chats count in tokens."""

from __future__ import annotations

from collections.abc import Sequence

from mindcorpus.tokens.chats import PER_REPLY, Message, count_messages
from mindcorpus.tokens.tokenizer import Tokenizer


def chat_tokens(counter: Tokenizer, chat: Sequence[Message]) -> int:
    """Count the tokens of one chat."""
    (counts,) = count_messages(counter, [chat])
    return PER_REPLY + sum(counts)
