"""Arrow arrays to and from numpy by their buffers.

pyarrow's own constructors (`pa.array`, `pa.scalar`, `to_numpy`) load pandas at their first call: a
third of a second and 30 MB in each worker process, of which none needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

WORD = pa.dictionary(pa.int32(), pa.string())


def as_numbers(column: Any, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Give a column's values that are not null as numbers of a kind.

    Values wider than the kind give several numbers each: 16 bytes are two uint64.
    """
    width = column.type.bit_width // (8 * np.dtype(kind).itemsize)
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    pieces = [
        np.frombuffer(values.buffers()[1], kind)[width * values.offset :][: width * len(values)]
        for chunk in chunks
        if len(values := chunk.drop_null() if chunk.null_count else chunk)
    ]
    return np.concatenate(pieces) if pieces else np.empty(0, kind)


def as_flags(column: Any) -> npt.NDArray[np.bool_]:
    """Tell for each value of a column whether it is not null."""
    flags = np.ones(len(column), bool)
    at = 0
    for chunk in column.chunks:
        bits = chunk.buffers()[0]
        if chunk.null_count and bits is not None:
            unpacked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
            flags[at : at + len(chunk)] = unpacked[chunk.offset : chunk.offset + len(chunk)]
        at += len(chunk)
    return flags


def numbers(values: Any, type_: Any, valid: npt.NDArray[np.bool_] | None = None) -> Any:
    """Make an array of a numeric type; where `valid` is False, of nulls."""
    array = np.ascontiguousarray(values, type_.to_pandas_dtype())
    return pa.Array.from_buffers(type_, len(array), [_bits(valid), pa.py_buffer(array)])


def flags(values: Any) -> Any:
    """Make a boolean array."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(np.asarray(values, bool))])


def keys(values: Sequence[bytes | None]) -> Any:
    """Make an array of 16-byte keys."""
    valid = np.array([value is not None for value in values], bool)
    data = b"".join(value or bytes(16) for value in values)
    return pa.Array.from_buffers(pa.binary(16), len(values), [_bits(valid), pa.py_buffer(data)])


def joined_keys(data: bytes, valid: npt.NDArray[np.bool_] | None = None) -> Any:
    """Make an array of 16-byte keys that stand one behind the other; where not `valid`, of nulls.

    Nulls have no bytes among these.
    """
    count = len(data) // 16
    if valid is not None:
        spread = np.zeros(len(valid), "V16")
        spread[valid] = np.frombuffer(data, "V16")
        data, count = spread.tobytes(), len(valid)
    return pa.Array.from_buffers(pa.binary(16), count, [_bits(valid), pa.py_buffer(data)])


def texts(values: Sequence[bytes | None]) -> Any:
    """Make an array of UTF-8 texts, copied once; None gives null."""
    valid = None
    if None in values:
        valid = np.array([value is not None for value in values], bool)
    found = [value or b"" for value in values]
    return pa.Array.from_buffers(
        pa.string(),
        len(found),
        [_bits(valid), pa.py_buffer(_offsets(found)), pa.py_buffer(b"".join(found))],
    )


def joined_texts(data: bytes, sizes: npt.NDArray[np.int64]) -> Any:
    """Make an array of UTF-8 texts that stand one behind the other, so many bytes each."""
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return pa.Array.from_buffers(
        pa.string(), len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def words(values: Sequence[str | None]) -> Any:
    """Make a dictionary array of few different texts; None gives null."""
    known: dict[str, int] = {}
    valid = np.array([value is not None for value in values], bool)
    codes = [known.setdefault(value, len(known)) if value is not None else 0 for value in values]
    return coded(codes, list(known), valid)


def as_words(column: Any) -> Any:
    """Make of a column of few different texts what `words` makes of its values."""
    chunk = column.combine_chunks()
    if chunk.null_count == len(chunk):
        return coded(np.zeros(len(chunk), np.int32), [], np.zeros(len(chunk), bool))
    return chunk.dictionary_encode()


def coded(codes: Any, known: Sequence[str], valid: npt.NDArray[np.bool_] | None = None) -> Any:
    """Make a dictionary array from numbers that say which of some texts each value is."""
    dictionary = texts([word.encode() for word in known])
    return pa.DictionaryArray.from_arrays(numbers(codes, pa.int32(), valid), dictionary)


def repeated(text: str, count: int) -> Any:
    """Make an array of one text, many times."""
    return coded(np.zeros(count, np.int32), [text]).cast(pa.string())


def strings(values: Sequence[str | None]) -> Any:
    """Make an array of texts, as `texts` does of their bytes: most need not be encoded apart."""
    valid = None
    if None in values:
        valid = np.array([value is not None for value in values], bool)
        values = [value or "" for value in values]
    found = cast("Sequence[str]", values)
    offsets = np.zeros(len(found) + 1, np.int32)
    np.cumsum(
        [len(text) if text.isascii() else len(text.encode()) for text in found], out=offsets[1:]
    )
    data = pa.py_buffer("".join(found).encode())
    return pa.Array.from_buffers(
        pa.string(), len(found), [_bits(valid), pa.py_buffer(offsets), data]
    )


def lists(values: Sequence[Sequence[str]], type_: Any) -> Any:
    """Make an array of lists of texts."""
    flat = texts([text.encode() for value in values for text in value])
    offsets = pa.py_buffer(_offsets(values))
    return pa.Array.from_buffers(type_, len(values), [None, offsets], children=[flat])


def lists_of(flat: Any, values: Sequence[Sequence[Any] | None], type_: Any) -> Any:
    """Make an array of lists of the values of another, so many each; None and [] give null."""
    sizes: list[Sequence[Any]] = [value or () for value in values]
    valid = np.array([bool(value) for value in values], bool)
    offsets = pa.py_buffer(_offsets(sizes))
    return pa.Array.from_buffers(type_, len(sizes), [_bits(valid), offsets], children=[flat])


def structs(columns: Sequence[Any], count: int, type_: Any) -> Any:
    """Make an array of structs of some columns, none of them null."""
    return pa.Array.from_buffers(type_, count, [None], children=list(columns))


def maybe(values: Sequence[bool | None]) -> Any:
    """Make a boolean array; None gives null."""
    valid = np.array([value is not None for value in values], bool)
    bits = _bits(np.array([bool(value) for value in values], bool))
    return pa.Array.from_buffers(pa.bool_(), len(values), [_bits(valid), bits])


def _offsets(values: Sequence[Any]) -> npt.NDArray[np.int32]:
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return offsets


def _bits(valid: npt.NDArray[np.bool_] | None) -> Any:
    if valid is None:
        return None
    return pa.py_buffer(np.packbits(valid, bitorder="little"))
