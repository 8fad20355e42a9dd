"""Which records an address asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mindcorpus.corpus.index import Filter

_LONGEST = 200  # characters of a search, as in the API
_DIGITS = 9  # of a number: no text has so many words, and no corpus so many records


@dataclass(frozen=True)
class Query:
    """The filters, and from which matching record on."""

    source: str = ""
    type: str = ""
    tag: str = ""
    search: str = ""
    min_words: str = ""
    max_words: str = ""
    offset: int = 0

    def filter(self) -> Filter:
        """Give what can be told without reading texts."""
        from mindcorpus.corpus.index import Filter  # late: it loads pyarrow

        return Filter(
            source=self.source or None,
            type=self.type or None,
            tag=self.tag or None,
            min_words=int(self.min_words) if self.min_words else None,
            max_words=int(self.max_words) if self.max_words else None,
        )

    def words(self) -> tuple[str, ...]:
        """Give the words that are searched for."""
        return tuple(self.search.split())

    def arguments(self, **changed: Any) -> dict[str, Any]:
        """Give the arguments of an address that asks for the same, with some changed."""
        names = ("source", "type", "tag", "search", "min_words", "max_words")
        same = {name: getattr(self, name) for name in names}
        return {name: value for name, value in {**same, **changed}.items() if value}

    @property
    def filtered(self) -> bool:
        """Whether it asks for less than all."""
        return bool(self.arguments())


def read_query(given: Mapping[str, str]) -> tuple[Query, dict[str, str]]:
    """Read the arguments of an address; gives them as they came, and what is wrong by field."""
    errors: dict[str, str] = {}
    texts = {name: given.get(name, "").strip() for name in ("source", "type", "tag", "search")}
    if len(texts["search"]) > _LONGEST:
        texts["search"] = texts["search"][:_LONGEST]
        errors["search"] = f"Search for {_LONGEST} characters at most."
    numbers: dict[str, str] = {}
    for name in ("min_words", "max_words", "offset"):
        text = given.get(name, "").strip().replace(",", "")
        if text.isascii() and text.isdecimal():
            text = text.lstrip("0") or "0"
        if text and not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
            errors[name] = "Give a whole number, 0 or more."
        numbers[name] = text
    offset, least, most = numbers.pop("offset"), numbers["min_words"], numbers["max_words"]
    if not errors and least and most and int(least) > int(most):
        errors["max_words"] = "This is less than the least length."
    return Query(**texts, **numbers, offset=0 if errors else int(offset or 0)), errors
