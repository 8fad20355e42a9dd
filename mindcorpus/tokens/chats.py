"""What a chat counts in tokens: its texts, and what is put around each message.

By the rule of the OpenAI Cookbook, "How to count tokens with tiktoken", section 6, for the models
since gpt-3.5-turbo-0613; other models put other words around a message, so there the sum is only
near. The rule says nothing of tools: here what a call names and passes counts as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mindcorpus.tokens.tokenizer import Tokenizer

#: `<|start|>`, the separator behind the role, `<|end|>`.
PER_MESSAGE = 3
#: Each role is one token, of `o200k` and of `cl100k`.
PER_ROLE = 1
PER_NAME = 1
#: "every reply is primed with <|start|>assistant<|message|>"
PER_REPLY = 3

Message = Mapping[str, Any]
"""A message of OpenAI's schema, such as `chat_messages.messages_of` gives."""


def message_tokens(message: Message) -> int:
    """Give what a message costs beyond its texts."""
    return PER_MESSAGE + PER_ROLE + (PER_NAME if message.get("name") is not None else 0)


def count_messages(tokenizer: Tokenizer, chats: Sequence[Sequence[Message]]) -> list[list[int]]:
    """Count the tokens of each message of each chat, in one go: its texts and what is around.

    A chat has `PER_REPLY` besides.
    """
    texts: list[str] = []
    found = [[message_tokens(message) for message in chat] for chat in chats]
    owners: list[tuple[int, int]] = []
    for place, chat in enumerate(chats):
        for at, message in enumerate(chat):
            for text in _texts(message):
                texts.append(text)
                owners.append((place, at))
    for (place, at), tokens in zip(owners, tokenizer.counts(texts), strict=True):
        found[place][at] += tokens
    return found


def _texts(message: Message) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from (part["text"] for part in content if isinstance(part.get("text"), str))
    if isinstance(name := message.get("name"), str):
        yield name
    for call in message.get("tool_calls") or ():
        function = call["function"]
        yield function["name"]
        yield function["arguments"]
