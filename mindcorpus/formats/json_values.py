"""Find the JSON values that stand in an array, or one behind another over several lines.

Brackets and quotes alone are followed, so that a value that is broken does not hide the next, and
no more than one value is held.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mindcorpus.limits import MAX_RECORD_BYTES

# A text is one token; one that goes on in the next piece begins with a quote that stands alone.
_OUTSIDE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_INSIDE = re.compile(rb'[\\"]')
_QUOTE, _BACKSLASH, _COMMA = b'"\\,'
_OPENING = b"[{"


class JsonValues:
    """Splits one stream of bytes; `ended` tells whether the array has an end."""

    def __init__(self, *, array: bool) -> None:
        self.ended = not array
        self._array = array
        self._held = bytearray()
        self._lost = False

    def split(self, pieces: Iterable[bytes]) -> Iterator[bytes | None]:
        """Yield each value as it stands there; None for one that is too long to hold."""
        depth = skipped = 0
        text = False  # within a text that did not end where it was looked at first
        for piece in pieces:
            at, skipped, begin = skipped, 0, 0
            while match := (_INSIDE if text else _OUTSIDE).search(piece, at):
                at = match.end()
                token = piece[match.start()]
                if token == _BACKSLASH:
                    at += 1
                    skipped = max(at - len(piece), 0)
                elif token == _QUOTE:
                    text = not text and at - match.start() == 1
                elif token in _OPENING:
                    depth += 1
                    if depth == 1 and self._array:
                        begin = at
                elif token == _COMMA:
                    if depth == 1 and self._array:
                        yield from self._value(piece[begin : match.start()])
                        begin = at
                else:
                    depth = max(depth - 1, 0)
                    if depth == 0:
                        yield from self._value(piece[begin : match.start() if self._array else at])
                        begin = at
                        # What stands behind an array is split, too, so that it is not lost.
                        self._array, self.ended = False, True
            self._hold(piece[begin:])
        yield from self._value(b"")

    def _hold(self, piece: bytes) -> None:
        self._lost = self._lost or len(self._held) + len(piece) > MAX_RECORD_BYTES
        if self._lost:
            self._held.clear()
        else:
            self._held += piece

    def _value(self, end: bytes) -> Iterator[bytes | None]:
        self._hold(end)
        value = bytes(self._held).strip()
        self._held.clear()
        if self._lost or value:
            yield None if self._lost else value
        self._lost = False
