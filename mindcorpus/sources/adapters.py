"""Raw rows to records: one small class a way of mapping; a catalogue entry names and sets up one.

An adapter is called with a shard's raw rows and gives, in order, what became of them: a `Kept`
record or a `Drop` with its reason. It invents nothing: tags come from the source's own columns.
"""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import orjson

from mindcorpus.conversations import Conversation, as_text
from mindcorpus.records import is_blank
from mindcorpus.sources.readers import Drop, Row

_FORBID: dict[str, Any] = {"extra": "forbid"}
_NAME = re.compile(r"[\w.-]{1,40}")


class Kept(NamedTuple):
    """A record made of a raw row, before comparison and cleaning."""

    number: int
    input: str
    response: str
    rejected_response: str = ""
    tags: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """What was done to its texts beyond mapping them, a word each."""
    item: int = 0
    conversation: Conversation | None = None
    """What the source holds beyond these texts; None where they say all."""
    group: str = ""
    """What the columns hold by which the source's records belong together, or ""."""
    metadata: str = ""
    """Columns that are carried along: a JSON object, or ""."""


class Adapter(Protocol):
    """What every adapter offers; its dataclass fields are the options of a catalogue entry."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    selects: ClassVar[frozenset[str]]
    """The reasons for which it leaves rows out by design: such rows are not lost."""

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        """Adapt the rows of one shard."""

    @property
    def whole_file(self) -> bool:
        """Whether it must see all rows of a file at once."""


@dataclass(frozen=True)
class TagColumn:
    """A column whose value becomes a tag."""

    __pydantic_config__: ClassVar = _FORBID
    column: str
    prefix: str = ""
    until: str = ""
    """Only what stands before this text counts."""
    values: Mapping[str, tuple[str, ...]] | None = None
    """The tags of each value; a value that is not here gives none."""
    strict: bool = False
    """Drop rows whose value is not among `values`."""

    def tags(self, row: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Give the row's tags; None where the value should be known and is not."""
        value = look_up(row, self.column)
        if isinstance(value, list) and value and not self.strict:
            return tuple(tag for item in value for tag in self._of(item) or ())
        return self._of(value)

    def _of(self, value: Any) -> tuple[str, ...] | None:
        if value is None or value == "" or isinstance(value, (dict, list)):
            return None if self.strict else ()
        if isinstance(value, bool):
            value = str(value).lower()  # as JSON writes it
        elif isinstance(value, float) and value.is_integer():
            value = int(value)  # as tables write a whole number in a column that has gaps
        text = str(value).partition(self.until)[0] if self.until else str(value)
        if self.values is None:
            return (self.prefix + text,) if text else ()
        found = self.values.get(text)
        if found is None:
            return None if self.strict else ()
        return tuple(self.prefix + tag for tag in found)


class Wrong(Exception):  # noqa: N818 - a signal to `RowAdapter`, not an error of the package
    """A row that gives no record: the reason, and what shows it, never its text."""

    def __init__(self, reason: str, evidence: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.evidence = evidence


def look_up(row: Mapping[str, Any], column: str) -> Any:
    """Give a column's value; `a.b` also finds `b` within `a`; None if there is none."""
    if column in row:
        return row[column]
    value: Any = row
    for step in column.split("."):
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value


def text_of(row: Mapping[str, Any], column: str, changes: dict[str, None]) -> str:
    """Give a column's text; what is done to make it one is added to `changes`.

    Raises `Wrong` for a column that is not there, or holds what is no text.
    """
    value = look_up(row, column)
    if isinstance(value, str):
        return value
    if value is None:
        if column in row or ("." in column and column.partition(".")[0] in row):
            return ""
        raise Wrong("missing-column", f"there is no {column!r}; the row has {names_of(row)}")
    text = scalar_text(value)
    if text is None:
        raise Wrong("wrong-type", f"{column!r} is {type(value).__name__}, not text")
    if text:
        changes["number-as-text"] = None
    return text


def scalar_text(value: Any) -> str | None:
    """Give a text, number or truth value as JSON writes it; None for anything else.

    What is not a number is how tables mark a cell that is empty.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return "" if math.isnan(value) else json.dumps(value)
    return None


def json_text(value: Any, what: str) -> str:
    """Give a value as JSON text, its keys in order; raises `Wrong` for what JSON cannot say."""
    try:
        text = as_text(value)
        # Read as it will be: what one JSON reader takes, such as a lone surrogate, another may not.
        orjson.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise Wrong("wrong-type", f"{what} holds what JSON cannot say") from None
    return text


def looks_like_a_name(text: str) -> bool:
    """Tell whether a column's or a key's name may stand in a message: it is not a record's text."""
    return _NAME.fullmatch(text) is not None


def names_of(row: Mapping[str, Any]) -> str:
    """List a row's columns, for the evidence of a drop.

    Without a header, a CSV's first row stands for the names: what is not a plain name is left out.
    """
    names = [repr(name) if looks_like_a_name(name) else "…" for name in list(row)[:8]]
    return ", ".join(names) or "no columns"


def _advice(row: Mapping[str, Any], adapter: RowAdapter) -> str:
    """Tell which other adapter or options would read a row, for the evidence of a drop."""
    from mindcorpus.sources.layouts import advice  # late: it knows the adapters

    return advice(row, vars(adapter))


def tags_of(row: Mapping[str, Any], columns: tuple[TagColumn, ...]) -> tuple[str, ...]:
    """Give a row's tags; raises `Wrong` where a column has a value that should be known."""
    tags: list[str] = []
    for column in columns:
        found = column.tags(row)
        if found is None:
            raise Wrong("unknown-label", f"{column.column!r} has no value that is known")
        tags.extend(found)
    return tuple(tags)


@dataclass(frozen=True)
class RowAdapter(ABC):
    """What the adapters share that make one record of one row."""

    __pydantic_config__: ClassVar = _FORBID
    selects: ClassVar[frozenset[str]] = frozenset()
    tag_columns: tuple[TagColumn, ...] = field(default=(), kw_only=True)

    @property
    def whole_file(self) -> bool:
        """No: each row gives a record of its own."""
        return False

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        """Adapt the rows of one shard."""
        for row in rows:
            if isinstance(row, Drop):
                yield row
            elif not isinstance(row.value, dict):
                yield Drop(
                    row.number,
                    "wrong-type",
                    f"the row is {type(row.value).__name__}, not an object",
                )
            else:
                try:
                    yield self.adapt(row.number, row.value)
                except Wrong as wrong:
                    evidence = wrong.evidence
                    if wrong.reason in ("missing-column", "wrong-type"):
                        evidence += _advice(row.value, self)
                    yield Drop(row.number, wrong.reason, evidence)

    @abstractmethod
    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `Wrong`."""


@dataclass(frozen=True)
class LastMark(RowAdapter):
    """A transcript with marks `<<…>>`: the text before one, marks removed, and what stood in it.

    The mark is the last one whose prefix has at most `max_chars` characters (0: no limit), else
    the first: the last has the most history, and the limit keeps a record within a model's reach.
    """

    #: A session without a choice has nothing that a model could learn.
    selects: ClassVar[frozenset[str]] = frozenset({"no-mark"})
    text: str
    max_chars: int = 8000

    def __post_init__(self) -> None:
        if self.max_chars < 0:
            raise ValueError("max_chars is the most characters of an input, 0 for no limit")

    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `Wrong`."""
        changes: dict[str, None] = {}
        text = text_of(row, self.text, changes)
        mark = self._last(text) or self._first(text)
        if mark is None:
            raise Wrong("no-mark", "no closed mark with something in it")
        start, end = mark
        input_ = _without_marks(text[:start])
        if is_blank(input_):
            raise Wrong("blank-input")
        choice, tags = text[start + 2 : end].strip(), tags_of(row, self.tag_columns)
        return Kept(number, input_, choice, "", tags, tuple(changes))

    def _last(self, text: str) -> tuple[int, int] | None:
        reach = len(text)
        if self.max_chars:
            # The prefix may be longer by the marks in it, which are removed: widen until it fits.
            reach = self.max_chars
            while reach < len(text):
                # Brackets that begin at the very border are removed too.
                wider = self.max_chars + 2 * (
                    text.count("<<", 0, reach + 2) + text.count(">>", 0, reach + 2)
                )
                if wider <= reach:
                    break
                reach = wider
        start, stop = text.rfind("<<", 0, reach + 2), len(text)
        while start >= 0:
            if (end := _closing(text, start, stop)) is not None:
                return start, end
            start, stop = text.rfind("<<", 0, start), start
        return None

    def _first(self, text: str) -> tuple[int, int] | None:
        start = text.find("<<")
        while start >= 0:
            following = text.find("<<", start + 2)
            stop = following if following >= 0 else len(text)
            if (end := _closing(text, start, stop)) is not None:
                return start, end
            start = following
        return None


def _closing(text: str, start: int, stop: int) -> int | None:
    """Where the mark that opens at `start` closes before `stop`; None if it does not, or is blank.

    A mark never reaches beyond the next one; with that for a stop, nothing is searched twice.
    """
    end = text.find(">>", start + 2, stop)
    if end < 0 or text.find("<<", start + 2, end) >= 0 or not text[start + 2 : end].strip():
        return None
    return end


def _without_marks(text: str) -> str:
    with suppress(UnicodeEncodeError):  # half a surrogate pair, which is told of later
        raw = text.encode()
        # Where brackets come in pairs only, as nearly always, all of them may go in one pass.
        if _paired(raw):
            return raw.translate(None, b"<>").decode()
    return text.replace("<<", "").replace(">>", "")


def _paired(raw: bytes) -> bool:
    """Whether brackets stand in pairs of a kind only; a run of more than two counts as not."""
    import numpy as np  # late: the catalogue is listed without it

    found = np.frombuffer(raw, np.uint8)
    brackets = found | 2 == ord(">")  # the two differ in that bit alone
    twins = (found[1:] == found[:-1]) & brackets[1:]
    if (twins[1:] & twins[:-1]).any():
        return False
    return bool(2 * np.count_nonzero(twins) == np.count_nonzero(brackets))
