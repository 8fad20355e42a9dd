"""JSON lines to raw rows; a line that is broken or too long is a drop, and the next one is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

import orjson

from mindcorpus.limits import MAX_RECORD_BYTES, MAX_VALUES
from mindcorpus.progress import Tick
from mindcorpus.sources.budgets import Meter
from mindcorpus.sources.readers.rows import Drop, Row, Shard
from mindcorpus.sources.readers.value_count import has_too_many_values

_CHUNK = 1024 * 1024
# The least integer that 64 bits do not hold, a negative one, has nineteen digits.
_DIGITS = b"0" * 19
_DEEP = (dict, list)
_SHORT = 1024
_DIGITS_TO_ZERO = bytes(0x30 if byte in b"0123456789" else 0x20 for byte in range(256))
_MARK = b"\xef\xbb\xbf"
_JOINT = b"}" + _MARK + b"{"


def read_lines(shard: Shard, tick: Tick, meter: Meter) -> Iterator[Row | Drop]:
    """Read the lines that begin in a shard's bytes."""
    stop = shard.stop if shard.stop is not None else shard.path.stat().st_size
    # What is read is what it decodes to.
    meter.decoded(stop - shard.start)
    number = 0
    with shard.path.open("rb", buffering=_CHUNK) as file:
        at = shard.start
        if at:
            # The line that crosses the border belongs to the shard before.
            file.seek(at - 1)
            at += _skip_line(file) - 1
        while at < stop:
            line = file.readline(MAX_RECORD_BYTES + 1)
            if not line:
                break
            length = len(line)
            if (row := _short_row(number, line)) is not None:
                yield row
            elif length > MAX_RECORD_BYTES and not line.endswith(b"\n"):
                length += _skip_line(file)
                yield Drop(number, "too-long", f"the line has {length} bytes")
            elif has_too_many_values(line):
                yield Drop(number, "too-long", f"the line has more than {MAX_VALUES:,} values")
            else:
                # A mark, which a file that was joined to another has at its head.
                if line[:1] == b"\xef":
                    line = line.removeprefix(_MARK)
                if not line.strip():
                    at += length
                    tick(0, length)
                    continue
                *before, last = _parse_joined(number, line)
                for outcome in before:
                    yield outcome
                    number += 1
                    tick(1, 0)
                yield last
            at += length
            number += 1
            tick(1, length)


def _skip_line(file: IO[bytes]) -> int:
    skipped = 0
    while piece := file.readline(_CHUNK):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _may_be_rounded(value: Any) -> bool:
    """Whether a value holds a float that an integer of more than 64 bits may have become."""
    kind = type(value)
    if kind is float:
        return bool(abs(value) >= 2**63)
    if kind is dict:
        value = value.values()
    elif kind is not list:
        return False
    # In a loop: this is done for every row.
    for each in value:  # noqa: SIM110
        if type(each) is not str and _may_be_rounded(each):
            return True
    return False


def _may_have_long_integers(value: Any, line: bytes) -> bool:
    """Tell whether a line's value must be looked through for them.

    Few lines of text have so many digits in a row, and to look for them is quicker than to look
    through turns, or at the values of a short line; those of a long flat row are soon looked at.
    """
    is_long = len(line) > _SHORT and type(value) is dict
    if is_long and not any(type(each) in _DEEP for each in value.values()):
        return True
    return _DIGITS in line.translate(_DIGITS_TO_ZERO)


def _parse_joined(number: int, line: bytes) -> Iterator[Row | Drop]:
    """Parse a line, or the lines that are one where files were joined.

    So it is where the first of them had no line end at its end.
    """
    outcome = _parse_line(number, line)
    if type(outcome) is Drop and _JOINT in line:
        for at, piece in enumerate(line.split(_MARK)):
            yield _parse_line(number + at, piece)
    else:
        yield outcome


def _short_row(number: int, line: bytes) -> Row | None:
    """Give the row of a short line that nothing is odd about; None for any other, to be parsed."""
    if len(line) > _SHORT or not line.startswith(b"{"):
        return None
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return None if _DIGITS in line.translate(_DIGITS_TO_ZERO) else Row(number, value)


def _parse_line(number: int, line: bytes) -> Row | Drop:
    try:
        value = orjson.loads(line)
        if not (_may_have_long_integers(value, line) and _may_be_rounded(value)):
            return Row(number, value)
    except orjson.JSONDecodeError:
        pass
    except RecursionError:  # nested too deeply for the other parser as well
        return Row(number, value)
    try:
        # The standard parser takes what orjson refuses (NaN, lone surrogates) or rounds (integers
        # of more than 64 bits), and says where it stops.
        return Row(number, json.loads(line.decode()))
    except UnicodeDecodeError as error:
        return Drop(number, "not-utf8", f"at byte {error.start} of the line")
    except json.JSONDecodeError as error:
        what = error.msg.lower().removesuffix(" at")
        return Drop(number, "broken-json", f"{what} at character {error.pos} of the line")
    except (ValueError, RecursionError) as error:
        return Drop(number, "broken-json", f"not readable: {type(error).__name__}")
