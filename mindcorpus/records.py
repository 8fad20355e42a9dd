"""The normalised record: its columns, its comparison keys and the rules its texts obey."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache
from typing import NamedTuple

import xxhash

COLUMNS = ("input", "response", "rejected_response", "source", "type", "tags")

# str.split() splits at exactly these ASCII characters (and at Unicode blanks, see `fold`).
_BLANKS = b"\t\n\v\f\r\x1c\x1d\x1e\x1f "
_TO_SPACE = bytes(0x20 if byte in _BLANKS else byte for byte in range(256))
_ASCII = bytes(range(128))
#: The others at which str.split() splits.
_WIDE_BLANKS = frozenset(
    "\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
# Above this many bytes numpy is the faster one (counting: 5 against 1.7 GB/s, measured).
_LONG = 2048
# So many marks in a row are sorted at once.
_SORTED = 200


class Measured(NamedTuple):
    """What is compared and counted of one record, computed on folded copies of its texts.

    Keys are 128-bit hashes. Most records have one for all: those that would be the same are None.
    """

    key: bytes
    """Of all that the record says; equal keys are duplicates."""
    input_key: bytes
    """Of the input; equal keys must not be split."""
    answer_key: bytes | None
    """Of what a format without a rejected side holds of it; None: `key`."""
    opening_key: bytes | None
    """Of the first turns of user and assistant: these must not be split; None: `answer_key`."""
    input_words: int
    response_words: int


class Said(NamedTuple):
    """What a conversation says, folded for comparison."""

    whole: bytes
    """All its turns, and those of the other conversation of a pair."""
    answer: bytes
    """The turns that a format without a rejected side holds."""
    opening: tuple[bytes, bytes] | None
    """The first text of the user and of the assistant."""
    flat: tuple[bytes, bytes] | None = None
    """The input and response of the flat view, where it has both."""


def is_blank(text: str) -> bool:
    """Tell whether a text has nothing but blanks, without copying it."""
    return not text or text.isspace()


def fold(text: bytes) -> bytes:
    """Give the form in which texts are compared: NFC, runs of blanks made one space, ends stripped.

    Takes and gives UTF-8. Equal to `" ".join(unicodedata.normalize("NFC", text).split())`, which
    is what it does where a character beyond ASCII may change; all other text goes many times as
    fast.
    """
    if not text.isascii():
        plain = _without_wide_blanks(text)
        if plain is None:
            return fold_any(text)
        text = plain
    return fold_plain(text)


def fold_any(text: bytes) -> bytes:
    """Fold a text as the definition has it, whatever it holds."""
    return " ".join(_composed(text.decode()).split()).encode()


def fold_plain(text: bytes) -> bytes:
    """Fold a text that NFC leaves as it is, and whose blanks are ASCII."""
    folded = text.translate(_TO_SPACE)
    if len(folded) < _LONG:
        while b"  " in folded:
            folded = folded.replace(b"  ", b" ")
        return folded.strip(b" ")
    return _single_spaces(folded).strip(b" ")


def _without_wide_blanks(text: bytes) -> bytes | None:
    """Give a text with its blanks beyond ASCII made spaces; None where NFC may change it.

    Where most is beyond ASCII, as in Japanese, the definition itself is the faster way.
    """
    others = text.translate(None, _ASCII)
    if len(others) > len(text) // 2:
        return None
    blanks = wide_blanks(others.decode())
    if blanks is None:
        return None
    for blank in blanks:
        text = text.replace(blank.encode(), b" ")
    return text


def wide_blanks(others: str) -> frozenset[str] | None:
    """Give the blanks among a text's characters beyond ASCII; None where NFC may change the text.

    Blanks become spaces, and `fold_plain` does the rest.
    """
    if _odd().search(others) is None:
        return frozenset()
    blanks = _WIDE_BLANKS.intersection(others)
    # NFC makes blanks of blanks, and joins nothing to them.
    if not blanks or _odd().search(others.translate(dict.fromkeys(map(ord, blanks)))) is not None:
        return None
    return blanks


@cache
def _odd() -> re.Pattern[str]:
    """Match any character but those that stay as they are and join nothing before them.

    Not matched are those of which whole blocks are neither blanks nor marks, stay as they are under
    NFC, and join nothing before them: letters of Latin and Cyrillic, kana, ideographs, Hangul
    syllables, punctuation, signs, emoji with what chooses and ties them. What assigned characters
    do never changes: Unicode Standard Annex 15, 3, «Versioning and Stability».
    """
    return re.compile(
        "[^\u00a1-\u024f\u0400-\u0482\u048a-\u052f\u1e00-\u1eff\u200b-\u200f\u2010-\u2027"
        "\u2030-\u205e\u20a0-\u20c0\u2190-\u2328\u232b-\u23ff\u2500-\u27ff\u3001-\u3029\u3041-\u3096\u30a1-\u30fa"
        "\u30fc-\u30fe\u4e00-\u9fff\uac00-\ud7a3\ufe00-\ufe0f\uff01-\uff9d\U0001f000-\U0001faff]"
    )


def _composed(text: str) -> str:
    """Give NFC in a time that grows as the text does.

    Marks upon one letter are sorted one by one: ten thousand of them, which nobody writes, take a
    second, and ten times as many take a hundred. Each two hundred are sorted
    for themselves.
    """
    if len(text) <= _SORTED:
        return unicodedata.normalize("NFC", text)
    if unicodedata.is_normalized("NFC", text):
        return text
    pieces, at = [], 0
    for run in _marks().finditer(text):
        pieces.append(unicodedata.normalize("NFC", text[at : run.end()]))
        at = run.end()
    pieces.append(unicodedata.normalize("NFC", text[at:]))
    return "".join(pieces)


@cache
def _marks() -> re.Pattern[str]:
    """Match so many characters that go upon the letter before them."""
    marks = "".join(filter(unicodedata.combining, map(chr, range(sys.maxunicode + 1))))
    return re.compile(f"[{marks}]{{{_SORTED}}}")


def _single_spaces(text: bytes) -> bytes:
    """Leave out every space that follows one; long texts have few, such as empty lines."""
    import numpy as np  # late: much that reads no long text is started with this module

    spaces = np.frombuffer(text, np.uint8) == 0x20
    seconds = np.flatnonzero(spaces[1:] & spaces[:-1]) + 1
    if not len(seconds):
        return text
    starts, ends = [0, *(seconds + 1).tolist()], [*seconds.tolist(), len(text)]
    return b"".join(text[start:end] for start, end in zip(starts, ends, strict=True))


def count_byte(text: bytes, byte: int) -> int:
    """Count how often a byte stands in a text."""
    if byte not in text:
        return 0
    if len(text) < _LONG:
        return text.count(byte)
    import numpy as np  # late, as above

    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == byte))


def measure(
    input_: bytes, response: bytes, rejected: bytes = b"", said: Said | None = None
) -> Measured:
    """Compute the comparison keys and word counts of one record from its UTF-8 texts.

    What is compared follows its kind: of a conversation (`said`) all turns, of a preference pair
    input, response and rejected response, of any other record input and response.
    """
    if said is not None and said.flat is not None:
        folded_input, folded_response = said.flat
    else:
        folded_input, folded_response = fold(input_), fold(response)
    digest = xxhash.xxh3_128(folded_input)
    input_key = digest.digest()
    # A text never holds NUL (records with one are dropped), so the pair has one reading.
    digest.update(b"\0")
    digest.update(folded_response)
    key, answer_key, opening_key = digest.digest(), None, None
    if said is not None:
        opening_key = _opening_key(said.opening)
        answer_key, key = _key(said.answer), _key(said.whole)
    elif rejected:
        answer_key = key
        digest.update(b"\0")
        digest.update(fold(rejected))
        key = digest.digest()
    return Measured(
        key, input_key, answer_key, opening_key, _words(folded_input), _words(folded_response)
    )


def _key(turns: bytes) -> bytes:
    # No record begins with a NUL: a conversation's key is no other record's.
    return xxhash.xxh3_128_digest(b"\0" + turns)


def _opening_key(opening: tuple[bytes, bytes] | None) -> bytes | None:
    """Give what `key` is of a record that has these two texts and nothing else."""
    if opening is None:
        return None
    return xxhash.xxh3_128_digest(b"\0".join(opening))


def _words(folded: bytes) -> int:
    return count_byte(folded, 0x20) + 1 if folded else 0
