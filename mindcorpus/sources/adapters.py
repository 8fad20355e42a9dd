"""Raw rows to records: one small class a way of mapping; a catalogue entry names and sets up one.

An adapter is called with a shard's raw rows and gives, in order, what became of them: a `Kept`
record or a `Drop` with its reason. It invents nothing: tags come from the source's own columns.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from mindcorpus.conversations import Conversation
from mindcorpus.records import is_blank
from mindcorpus.sources.patterns import Pattern, cut_at
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


class _Wrong(Exception):  # noqa: N818 - a signal between two functions here, not an error of the package
    """A row that gives no record."""

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


def _text(row: Mapping[str, Any], column: str) -> str:
    value = look_up(row, column)
    if isinstance(value, str):
        return value
    if value is None:
        if column in row or ("." in column and column.partition(".")[0] in row):
            return ""
        raise _Wrong("missing-column", f"there is no {column!r}; the row has {names_of(row)}")
    raise _Wrong("wrong-type", f"{column!r} is {type(value).__name__}, not text")


def names_of(row: Mapping[str, Any]) -> str:
    """List a row's columns, for the evidence of a drop.

    Without a header, a CSV's first row stands for the names: what is not a plain name is left out.
    """
    names = [repr(name) if _NAME.fullmatch(name) else "…" for name in list(row)[:8]]
    return ", ".join(names) or "no columns"


def _tags(row: Mapping[str, Any], columns: tuple[TagColumn, ...]) -> tuple[str, ...]:
    tags: list[str] = []
    for column in columns:
        found = column.tags(row)
        if found is None:
            raise _Wrong("unknown-label", f"{column.column!r} has no value that is known")
        tags.extend(found)
    return tuple(tags)


@dataclass(frozen=True)
class _RowAdapter(ABC):
    """What the adapters share that make one record of one row."""

    __pydantic_config__: ClassVar = _FORBID
    selects: ClassVar[frozenset[str]] = frozenset()
    tag_columns: tuple[TagColumn, ...] = field(default=(), kw_only=True)

    @property
    def whole_file(self) -> bool:
        return False

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
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
                except _Wrong as wrong:
                    yield Drop(row.number, wrong.reason, wrong.evidence)

    @abstractmethod
    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `_Wrong`."""


@dataclass(frozen=True)
class Columns(_RowAdapter):
    """Columns by name. Without a `response` column, records have none, and none is expected."""

    input: str
    response: str | None = None
    rejected_response: str | None = None
    input_fallback: str | None = None
    """Used where `input` is blank, unless it begins with `input_fallback_unless`."""
    input_fallback_unless: str | None = None
    cut_response_at: Pattern | None = None
    """A regular expression of RE2, which takes no longer for a text than the text is long; what it
    matches, and all behind it, is cut off and counted."""
    drop_if_response_holds: str | None = None

    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `_Wrong`."""
        input_ = _text(row, self.input)
        if is_blank(input_):
            input_ = self._fallback(row)
        response = ""
        changed: tuple[str, ...] = ()
        if self.response is not None:
            response = _text(row, self.response)
            if self.cut_response_at and (cut := cut_at(self.cut_response_at, response)) is not None:
                response = response[:cut]
                changed = ("run-on-cut",)
            if is_blank(response):
                raise _Wrong("blank-response")
            if self.drop_if_response_holds and self.drop_if_response_holds in response:
                raise _Wrong("embedded-data", f"the response holds {self.drop_if_response_holds!r}")
        rejected = _text(row, self.rejected_response) if self.rejected_response else ""
        if is_blank(rejected):
            rejected = ""
        return Kept(number, input_, response, rejected, _tags(row, self.tag_columns), changed)

    def _fallback(self, row: dict[str, Any]) -> str:
        if self.input_fallback:
            text = _text(row, self.input_fallback)
            unless = self.input_fallback_unless
            if not is_blank(text) and not (unless and text.lstrip().startswith(unless)):
                return text
        raise _Wrong("blank-input")


@dataclass(frozen=True)
class Messages(_RowAdapter):
    """A chat list of {role, content}: what came before the last assistant message, and that one.

    With one user message the input is that message; with more, the turns under the headings
    `User:` and `Assistant:`. System messages are left out: an export has its own.
    """

    messages: str

    def adapt(self, number: int, row: dict[str, Any]) -> Kept:
        """Make the record of one row, or raise `_Wrong`."""
        turns = [turn for turn in self._turns(row) if turn[0] in ("user", "assistant")]
        last = max((at for at, (role, _) in enumerate(turns) if role == "assistant"), default=-1)
        if last < 0:
            raise _Wrong("blank-response", "no assistant message")
        before = turns[:last]
        if not any(role == "user" and not is_blank(text) for role, text in before):
            raise _Wrong("blank-input", "no user message before the last assistant message")
        if is_blank(turns[last][1]):
            raise _Wrong("blank-response")
        changed = ("later-turns-left-out",) if last + 1 < len(turns) else ()
        input_ = (
            before[0][1]
            if len(before) == 1
            else "\n\n".join(f"{role.capitalize()}: {text}" for role, text in before)
        )
        return Kept(number, input_, turns[last][1], "", _tags(row, self.tag_columns), changed)

    def _turns(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        messages = look_up(row, self.messages)
        if messages is None and self.messages in row:
            raise _Wrong("wrong-type", f"{self.messages!r} is null, not a list")
        if messages is None:
            raise _Wrong(
                "missing-column", f"there is no {self.messages!r}; the row has {names_of(row)}"
            )
        if not isinstance(messages, list):
            raise _Wrong(
                "wrong-type", f"{self.messages!r} is {type(messages).__name__}, not a list"
            )
        for at, message in enumerate(messages):
            role = message.get("role") if isinstance(message, dict) else None
            content = message.get("content") if isinstance(message, dict) else None
            if not isinstance(role, str) or not isinstance(content, str | None):
                raise _Wrong("wrong-type", f"message {at} is not a role and a text")
            yield role, content or ""


@dataclass(frozen=True)
class LastMark(_RowAdapter):
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
        """Make the record of one row, or raise `_Wrong`."""
        text = _text(row, self.text)
        mark = self._last(text) or self._first(text)
        if mark is None:
            raise _Wrong("no-mark", "no closed mark with something in it")
        start, end = mark
        input_ = _without_marks(text[:start])
        if is_blank(input_):
            raise _Wrong("blank-input")
        return Kept(number, input_, text[start + 2 : end].strip(), "", _tags(row, self.tag_columns))

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
    if text.isascii():
        raw = text.encode()
        # Where brackets come in pairs only, as nearly always, all of them may go in one pass.
        if _paired(raw):
            return raw.translate(None, b"<>").decode("ascii")
    return text.replace("<<", "").replace(">>", "")


def _paired(raw: bytes) -> bool:
    """Whether brackets stand in pairs of a kind only; a run of more than two counts as not."""
    found = np.frombuffer(raw, np.uint8)
    brackets = found | 2 == ord(">")  # the two differ in that bit alone
    twins = (found[1:] == found[:-1]) & brackets[1:]
    if (twins[1:] & twins[:-1]).any():
        return False
    return bool(2 * np.count_nonzero(twins) == np.count_nonzero(brackets))
