"""A training format of a test's own: it knows no sizes beforehand, and reads what others do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mindcorpus.formats.base import Encoder, LineFormat


class ToyLines(Encoder):
    def lines(self, table: Any) -> Iterable[bytes]:
        for row in table.to_pylist():
            yield orjson.dumps(row) + b"\n"


class Toy(LineFormat):
    columns = ("input", "response", "rejected_response", "type", "tags")

    def encoder(self, first_line: int) -> ToyLines:
        del first_line
        return ToyLines()


FORMAT = Toy
