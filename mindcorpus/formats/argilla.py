"""Argilla records: an id, fields of text, and metadata to filter by; each line makes a `Record`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mindcorpus.formats.annotation import AnnotationEncoder, Record
from mindcorpus.formats.lines import LineFormat, Lines


class Records(AnnotationEncoder):
    """Encodes records by the arguments of `argilla.Record`."""

    def value(self, record: Record) -> dict[str, Any]:
        """Give a record; its id is its row of the corpus."""
        return {
            "id": str(record.corpus_row),
            "fields": {"input": record.input, "response": record.response},
            "metadata": {
                "corpus_row": record.corpus_row,
                "source": record.source,
                "type": record.type,
                "tags": record.tags,
            },
        }


class Argilla(LineFormat):
    """A folder with a file for each part, a record a line."""

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        return [Lines(Records)]


FORMAT = Argilla
