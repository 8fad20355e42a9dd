"""Tell from its beginning what a file is that should hold a chat example a line.

Where the whole file is something else, one word about that helps more than an error a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal, NamedTuple

import orjson

from mindcorpus.formats.chat_turns import Departure
from mindcorpus.formats.json_values import JsonValues
from mindcorpus.not_data import MARK, is_lfs_pointer, is_web_page

#: How a file's examples are found: lines, items of an array, values over several lines, or not.
Form = Literal["lines", "array", "values", "none"]

#: How many examples are looked at to know the layout of all.
_LOOKED_AT = 100
_CONVERT = (
    "to convert it, have its catalogue entry written (mindcorpus sources inspect), merge with that "
    "catalogue, and prepare openai"
)
_LAYOUTS = {
    "ShareGPT (turns under conversations)": ("conversations",),
    "Alpaca (instruction, input, output)": ("instruction", "output"),
    "prompt and completion": ("prompt", "completion"),
    "preference pairs (chosen, rejected)": ("chosen", "rejected"),
    "single messages (role, content)": ("role", "content"),
}
#: Lists under these keys belong to one example.
_OWN = {"messages", "tools", "functions", *(key for keys in _LAYOUTS.values() for key in keys)}
# The first key of an object, and how its value begins: of all rows, or of one.
_FIRST = re.compile(rb'\{\s*"([^"\\]{1,60})"\s*:\s*(\[\s*\[|\[\s*"|\[\s*\{|\{\s*"0")')
_OPEN_ENDS = (b"{", b"[", b",", b":")
_COLUMN = re.compile("[\\w\ufffd.-]{1,40}(?: [\\w\ufffd.-]{1,40}){0,2}")
_LONGEST_HEADER = 10_000
_UTF16 = re.compile(rb"\xff\xfe|\xfe\xff|[\[{]\0|\0[\[{]|\0\0\0[\[{]")


class Diagnosis(NamedTuple):
    """What a file is."""

    form: Form
    departures: tuple[Departure, ...] = ()
    layout: str | None = None
    """The layout that its examples have instead of messages."""


def layout_of(row: dict[str, Any]) -> str | None:
    """Name the layout that an example has instead of messages, if it is one that is known."""
    if "messages" in row:
        return None
    found = (name for name, keys in _LAYOUTS.items() if all(key in row for key in keys))
    return next(found, None)


def diagnose(head: bytes, *, whole: bool) -> Diagnosis:
    """Tell what a file is from its first bytes; `whole`: they are all that it has."""
    if _UTF16.match(head):
        how = "convert it with iconv -f UTF-16 -t UTF-8 FILE"
        return _nothing("utf-16", f"the file is UTF-16 or UTF-32, not UTF-8: {how}")
    text = head.removeprefix(MARK).lstrip()
    if strange := _strange(text):
        return strange
    form = _form(text, whole=whole)
    if _is_object_of_arrays(text, form, whole=whole):
        return _nothing(
            "object-of-arrays",
            f"the file is one object that holds all examples, not an example a line; {_CONVERT}",
        )
    found = []
    if form == "array":
        found.append(
            Departure(
                "json-array",
                "the file is a JSON array, not an example a line; each was checked, and places "
                "count examples: write them as lines with jq -c '.[]' FILE",
            )
        )
    elif form == "values":
        found.append(
            Departure(
                "json-over-lines",
                "examples stand over several lines, not one a line; each was checked, and places "
                "count examples: write them as lines with jq -c . FILE",
            )
        )
    layouts = {layout_of(row) for row in islice(_rows(text, form), _LOOKED_AT)}
    layout = layouts.pop() if len(layouts) == 1 else None
    if layout is not None:
        reason = f"the examples are of the layout {layout}, not lists of messages; {_CONVERT}"
        found.append(Departure("other-layout", reason))
    return Diagnosis(form, tuple(found), layout)


def _nothing(code: str, reason: str) -> Diagnosis:
    return Diagnosis("none", (Departure(code, reason),))


def _strange(text: bytes) -> Diagnosis | None:
    """Find what is no JSON at all."""
    if is_web_page(text):
        how = "fetch the file itself; on the hub its address has /resolve/, not /blob/"
        return _nothing("html-page", f"the file is a web page, not data: {how}")
    if is_lfs_pointer(text):
        how = "run git lfs pull, or fetch the file itself"
        return _nothing("lfs-pointer", f"the file is a Git LFS pointer, not the data: {how}")
    columns = _columns(text)
    if columns:
        reason = f"the file is a table of {columns} columns, not JSON lines; {_CONVERT}"
        return _nothing("csv-table", reason)
    return None


def _columns(text: bytes) -> int:
    """Count the columns of a table, whose header's cells look like names; 0 if it is none."""
    header, second = [*text.split(b"\n", 2), b"", b""][:2]
    json = any(line.startswith((b"{", b"[")) for line in (header, second))
    if json or len(header) > _LONGEST_HEADER or _parsed(header):
        return 0
    for delimiter in ",;\t|":
        cells = header.decode(errors="replace").strip().split(delimiter)
        named = all(_COLUMN.fullmatch(cell.strip().strip('"')) for cell in cells)
        if len(cells) > 1 and named and delimiter.encode() in second:
            return len(cells)
    return 0


def _form(text: bytes, *, whole: bool) -> Form:
    """Tell lines from an array and from values over several lines."""
    if not text.startswith((b"[", b"{")):
        return "lines"
    array = text.startswith(b"[")
    first, _, rest = text.partition(b"\n")
    second = rest.lstrip().partition(b"\n")[0]
    if _parsed(first) is not None:
        # One array in one line; more lines are lines, whatever each holds.
        return "array" if array and whole and not second else "lines"
    first = first.rstrip()
    # A comma behind a whole example is one too many; it does not go on in the next line.
    goes_on = first.endswith(_OPEN_ENDS) and (array or _parsed(first.rstrip(b",")) is None)
    if isinstance(_parsed(second), dict) and not (array and goes_on):
        return "lines"  # and the first of them is broken
    if array:
        return "array"
    return "values" if second and goes_on else "lines"


def _is_object_of_arrays(text: bytes, form: Form, *, whole: bool) -> bool:
    if not text.startswith(b"{"):
        return False
    if whole:
        values = list(islice(JsonValues(array=False).split([text]), 2))
        row = _parsed(values[0] or b"") if len(values) == 1 else None
        return isinstance(row, dict) and _holds_all(row)
    # It is too long to be seen whole; of lines, the first would have an end.
    first = _FIRST.match(text)
    if first is None or (form == "lines" and b"\n" in text):
        return False
    of_many = not first[2].endswith(b"{")
    return of_many or first[1].decode(errors="replace") not in _OWN


def _holds_all(row: dict[str, Any]) -> bool:
    """Tell whether an object holds columns, or rows under a key, and is not an example."""
    if not row:
        return False
    looked_at = {"messages": row["messages"]} if "messages" in row else row
    return any(_of_many(key, value) for key, value in looked_at.items()) or all(
        isinstance(value, list) and value and all(isinstance(each, str) for each in value)
        for value in looked_at.values()
    )


def _of_many(key: str, value: Any) -> bool:
    """Tell whether a value is a column of lists, or of cells by number, or a list of rows."""
    if isinstance(value, dict):
        return "0" in value
    if not isinstance(value, list) or not value:
        return False
    rows = key not in _OWN and all(
        isinstance(each, dict) and "role" not in each and "from" not in each for each in value
    )
    return rows or all(isinstance(each, list) for each in value)


def _rows(text: bytes, form: Form) -> Iterator[dict[str, Any]]:
    """Give the objects that the beginning of a file holds, those that are whole."""
    values: Iterator[bytes | None] = iter(text.splitlines())
    if form != "lines":
        values = JsonValues(array=form == "array").split([text])
    for value in values:
        row = _parsed(value or b"")
        if isinstance(row, dict):
            yield row


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
