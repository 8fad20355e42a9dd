"""How many values a long piece of JSON may hold: three bytes of it can cost seventy in memory."""

from __future__ import annotations

from mindcorpus.limits import MAX_VALUES


def has_too_many_values(piece: str | bytes) -> bool:
    """Tell whether a piece of JSON may hold more values than a record may, without parsing it.

    What begins or parts values is counted, also within texts, where it is rare.
    """
    if len(piece) <= MAX_VALUES:
        return False
    if isinstance(piece, str):
        return sum(map(piece.count, ",[{")) > MAX_VALUES
    return sum(map(piece.count, (b",", b"[", b"{"))) > MAX_VALUES
