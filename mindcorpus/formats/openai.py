"""OpenAI chat JSON lines: system, user and assistant for each record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mindcorpus.corpus.row_facts import Numbers, RowFacts


class ChatLines:
    """Encodes records as chat lines, and knows their sizes beforehand."""

    def __init__(self, system_prompt: str) -> None:
        self._system = {"role": "system", "content": system_prompt}
        # The same in each line, so encoded once.
        self._head = (
            b'{"messages":[{"role":"system","content":'
            + orjson.dumps(system_prompt)
            + b'},{"role":"user","content":'
        )
        self._middle = b'},{"role":"assistant","content":'
        self._end = b"}]}\n"

    def sizes(self, rows: RowFacts) -> Numbers:
        """Give the bytes of each corpus row's line: shape (rows,)."""
        frame = len(self._head) + len(self._middle) + len(self._end)
        sizes: Numbers = rows.input_json + rows.response_json + frame
        return sizes

    def lines(self, table: Any) -> Iterable[tuple[dict[str, Any], bytes]]:
        """Give each row of a table with the columns `input` and `response`: its value, its line."""
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
            yield value, line
