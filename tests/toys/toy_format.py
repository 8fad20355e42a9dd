"""A training format of a test's own: it knows no sizes beforehand, and reads what others do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from mindcorpus.formats.lines import Encoder, LineFormat, Lines


class ToyLines(Encoder):
    columns = ("input", "response", "rejected_response", "type", "tags")

    def lines(self, table: Any, first: int) -> Iterable[bytes]:
        del first
        for row in table.select(self.columns).to_pylist():
            yield orjson.dumps(row) + b"\n"


class Toy(LineFormat):
    def lines(self) -> Sequence[Lines]:
        return [Lines(ToyLines)]


FORMAT = Toy
