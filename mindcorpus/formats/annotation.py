"""What formats for annotation share: the flat view of a record, and where it came from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from mindcorpus.formats.lines import Encoder

_COLUMNS = ("corpus_row", "part", "input", "response", "source", "type", "tags")


class Record(NamedTuple):
    """What an annotator sees of a record, and what tells it from others."""

    corpus_row: int
    part: str
    input: str
    response: str
    source: str
    type: str
    tags: list[str]


class AnnotationEncoder(Encoder):
    """Encodes records as objects that name their row of the corpus."""

    columns = _COLUMNS

    @abstractmethod
    def value(self, record: Record) -> dict[str, Any]:
        """Give what a line holds."""

    def lines(self, table: Any, first: int) -> Iterable[bytes]:
        """Give the line of each row of a table."""
        del first
        columns = (table.column(name).to_pylist() for name in _COLUMNS)
        for row in zip(*columns, strict=True):
            yield orjson.dumps(self.value(Record(*row)), option=orjson.OPT_APPEND_NEWLINE)
