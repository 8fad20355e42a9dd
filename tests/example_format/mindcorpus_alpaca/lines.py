"""The lines of the Alpaca format."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mindcorpus.formats.lines import Encoder, LineFormat, Lines


class AlpacaLines(Encoder):
    """Writes a record as an instruction, what it is about, and what is to be said."""

    columns = ("input", "response")

    def __init__(self, instruction: str) -> None:
        self._instruction = instruction

    def lines(self, table: Any, first: int) -> Iterator[bytes]:
        del first  # the place of the first record among all
        for row in table.select(self.columns).to_pylist():
            line = {"instruction": self._instruction, "input": row["input"]}
            yield json.dumps({**line, "output": row["response"]}).encode() + b"\n"


class Alpaca(LineFormat):
    def lines(self) -> Sequence[Lines]:
        return [Lines(AlpacaLines, (self.settings["instruction"],))]


FORMAT = Alpaca
