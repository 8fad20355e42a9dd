"""Tokens by a published vocabulary of OpenAI, exactly as tiktoken counts them, and faster.

toktok has the vocabularies within its wheel and counts twice to ten times as fast as tiktoken. Both
cut a text into words by what Unicode says of its characters, but by different versions of it, and
toktok does not take ſ for an s behind an apostrophe. So tiktoken counts the texts that hold such
a character, with toktok's vocabulary. tests/library/test_token_counts.py holds both together,
over all characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mindcorpus.tokens.surrogates import without_halves

if TYPE_CHECKING:
    import tiktoken

#: Characters that both take for the same: all but ſ, and the neighbourhoods of those that are new
#: in Unicode 17, which toktok 0.3 does not know. A class that fits all of a text is the quickest.
_ALIKE = re.compile(
    "[\0-\u017e\u0180-\u088e\u0890-\u0c5b\u0c5d-\u0cdb\u0cdd-\u1ace\u1aec-\ua7cd"
    "\ua7f2-\U0001093f\U0001d000-\U0001e6bf\U0001e700-\U0002b739]*"
)
_CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
#: How a text is cut into words (`pat_str` of tiktoken_ext/openai_public.py, tiktoken 0.14).
_WORDS = {
    "o200k_base": "|".join(
        (
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
            + _CONTRACTION,
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
            + _CONTRACTION,
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    ),
    "cl100k_base": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|"
    r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
}


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary by its name here, and by the one it was published under."""

    name: str
    published: str
    exact: bool = True

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, in this thread alone: a worker has a core of its own."""
        import toktok  # late: it is of the extra, and loads a vocabulary

        texts = without_halves(texts)
        found: list[int] = toktok.batch_count(texts, self.published, threads=1)
        for at, text in enumerate(texts):
            if not text.isascii() and not _ALIKE.fullmatch(text):
                found[at] = len(_tiktoken(self.published).encode_ordinary(text))
        return found


@cache
def vocabulary(name: str, published: str) -> Vocabulary:
    """Give a vocabulary, and load it, so that processes that are forked then share it."""
    import toktok  # late, as above

    toktok.batch_count([""], published, threads=1)
    return Vocabulary(name, published)


@cache
def _tiktoken(published: str) -> tiktoken.Encoding:
    import tiktoken
    import toktok

    tokens: list[bytes] = toktok._encoding(published).token_byte_values()  # noqa: SLF001 - no other way to them
    return tiktoken.Encoding(
        published,
        pat_str=_WORDS[published],
        mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
        special_tokens={},
    )
