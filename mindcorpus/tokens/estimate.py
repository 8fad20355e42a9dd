"""An estimate of tokens, for who has no tokenizer installed: a rule, and called one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

#: OpenAI Help Center, "What are tokens and how to count them?": four characters of English text.
#: Here bytes of UTF-8, of which byte-level vocabularies are made: the same for English, and nearer
#: than characters for most of the rest (docs/formats.md, "Tokens", has both measured).
BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Estimate:
    """A token for each four bytes of a text in UTF-8, a begun one included."""

    name: ClassVar[str] = "estimate"
    exact: ClassVar[bool] = False

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Estimate the tokens of each text."""
        return [-(-_size(text) // BYTES_PER_TOKEN) for text in texts]


def _size(text: str) -> int:
    # Half a surrogate pair takes three bytes, as the U+FFFD does that stands for it elsewhere.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
