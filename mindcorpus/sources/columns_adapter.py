"""The adapter for tables: a column for each side of a record, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mindcorpus.records import is_blank
from mindcorpus.sources.adapters import Kept, RowAdapter, Wrong, tags_of, text_of
from mindcorpus.sources.patterns import Pattern, cut_at


@dataclass(frozen=True)
class Columns(RowAdapter):
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
        """Make the record of one row, or raise `Wrong`."""
        changes: dict[str, None] = {}
        input_ = text_of(row, self.input, changes)
        if is_blank(input_):
            input_ = self._fallback(row, changes)
        response = ""
        if self.response is not None:
            response = text_of(row, self.response, changes)
            if self.cut_response_at and (cut := cut_at(self.cut_response_at, response)) is not None:
                response = response[:cut]
                changes["run-on-cut"] = None
            if is_blank(response):
                raise Wrong("blank-response")
            if self.drop_if_response_holds and self.drop_if_response_holds in response:
                raise Wrong("embedded-data", f"the response holds {self.drop_if_response_holds!r}")
        rejected = text_of(row, self.rejected_response, changes) if self.rejected_response else ""
        if is_blank(rejected):
            rejected = ""
        return Kept(
            number, input_, response, rejected, tags_of(row, self.tag_columns), tuple(changes)
        )

    def _fallback(self, row: dict[str, Any], changes: dict[str, None]) -> str:
        if self.input_fallback:
            text = text_of(row, self.input_fallback, changes)
            unless = self.input_fallback_unless
            if not is_blank(text) and not (unless and text.lstrip().startswith(unless)):
                return text
        raise Wrong("blank-input")
