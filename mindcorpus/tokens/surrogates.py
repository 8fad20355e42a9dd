"""Texts that hold half a surrogate pair, which no tokenizer takes: U+FFFD stands for each."""

from __future__ import annotations

from collections.abc import Sequence


def without_halves(texts: Sequence[str]) -> list[str]:
    """Give the texts with U+FFFD for each half of a surrogate pair, as tiktoken does it."""
    return [text if text.isascii() else _whole(text) for text in texts]


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
