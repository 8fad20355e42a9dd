"""How a table of text is written: what parts its cells, what stands around them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mindcorpus.errors import DataError
from mindcorpus.sources.file_formats import Reading

#: Those that are looked for, the usual first: of two that fit, the first is meant.
_DELIMITERS = ",;\t|"
_ROWS = 20
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Dialect:
    """What parts cells, stands around them, and before a quote within."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""

    def reader(self, lines: Any, *, strict: bool = True) -> Any:
        """Give a reader of rows."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar=self.escape or None,
            strict=strict,
        )


#: Of RFC 4180.
USUAL = Dialect()


def dialect_of(head: str, reading: Reading, file: str) -> Dialect:
    """Tell how a table is written by its first rows, where its entry does not say.

    Raises `DataError` for a first row that is no header.
    """
    quote = '"' if reading.quote is None else reading.quote
    if reading.delimiter:
        found = Dialect(reading.delimiter, quote, reading.escape)
    else:
        order = "\t,;|" if file.lower().endswith((".tsv", ".tab")) else _DELIMITERS
        tried = [Dialect(delimiter, quote, reading.escape) for delimiter in order]
        # The share of rows that have as many cells as the header; of equal ones the first.
        found = max(tried, key=lambda dialect: _fit(dialect, head))
    header = _first_rows(found, head)[:1]
    if header and any(len(name) > _LONGEST_NAME or "\n" in name for name in header[0]):
        raise DataError(
            "the first row holds texts, not the names of columns",
            file=file,
            hint="Add a row with the columns' names at its head"
            + ("." if reading.delimiter else ', or say what parts cells (delimiter = ";").'),
        )
    return found


def _fit(dialect: Dialect, head: str) -> float:
    header, *rows = _first_rows(dialect, head) or [[]]
    if len(header) < 2:
        return 0.0
    return (1 + sum(len(row) == len(header) for row in rows)) / (1 + len(rows))


def _first_rows(dialect: Dialect, head: str) -> list[list[str]]:
    """Give some first rows, without the last one of the head, which may be cut off."""
    rows: list[list[str]] = []
    try:
        for row in islice(dialect.reader(io.StringIO(head, newline=""), strict=False), _ROWS + 1):
            rows += [row] if row else []
    except csv.Error:
        pass
    return rows[:-1] if len(rows) > 1 and not head.endswith(("\n", "\r")) else rows
