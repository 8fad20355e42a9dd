"""OpenAI chat JSON lines: system, user and assistant for each record.

Every line is checked against the provider's published rules as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import count
from typing import Any

import orjson

from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.formats.base import Encoder, LineFormat, Made
from mindcorpus.formats.chat_check import ChatCheck, Checked, combine
from mindcorpus.storage.files import Written


class ChatLines(Encoder):
    """Encodes records as chat lines, knows their sizes beforehand, and checks them."""

    def __init__(self, system_prompt: str, first_line: int = 1) -> None:
        self._system = {"role": "system", "content": system_prompt}
        # The same in each line, so encoded once.
        self._head = (
            b'{"messages":[{"role":"system","content":'
            + orjson.dumps(system_prompt)
            + b'},{"role":"user","content":'
        )
        self._middle = b'},{"role":"assistant","content":'
        self._end = b"}]}\n"
        self._numbers = count(first_line)
        self._check = ChatCheck()

    def sizes(self, rows: RowFacts) -> Numbers:
        """Give the bytes of each corpus row's line: shape (rows,)."""
        frame = len(self._head) + len(self._middle) + len(self._end)
        sizes: Numbers = rows.input_json + rows.response_json + frame
        return sizes

    def lines(self, table: Any) -> Iterable[bytes]:
        """Give the line of each row of a table with the columns `input` and `response`."""
        texts = zip(
            table.column("input").to_pylist(), table.column("response").to_pylist(), strict=True
        )
        head, middle, end = self._head, self._middle, self._end
        for input_, response in texts:
            value = {
                "messages": [
                    self._system,
                    {"role": "user", "content": input_},
                    {"role": "assistant", "content": response},
                ]
            }
            line = b"".join((head, orjson.dumps(input_), middle, orjson.dumps(response), end))
            self._check.example(next(self._numbers), value, line)
            yield line

    def result(self) -> Checked:
        """Give what the provider's rules say of the lines so far."""
        return self._check.result()


class OpenAI(LineFormat):
    """One chat file, which the provider takes as it is."""

    columns = ("input", "response")

    def encoder(self, first_line: int) -> ChatLines:
        """Give what encodes and checks a run's lines."""
        return ChatLines(self.settings["system_prompt"], first_line)

    def describe(self, encoded: Sequence[Sequence[Any]], outputs: Sequence[Written]) -> Made:
        """Tell what the rules say of the whole file."""
        (chat,), (checks,) = outputs, encoded
        checked = combine(checks, "", chat.bytes)
        findings = [asdict(finding) for finding in checked.findings]
        return Made(outputs, findings=findings, finding_counts=checked.counts)


FORMAT = OpenAI
