"""ShareGPT JSON lines: `conversations` of turns {from, value}, in a train and a validation file.

The keys are those that Unsloth's `standardize_sharegpt` and LLaMA-Factory's `sharegpt` read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.formats.base import Encoder, LineFormat

_HEAD = b'{"conversations":[{"from":"human","value":'
_MIDDLE = b'},{"from":"gpt","value":'
_END = b"}]}\n"


class Conversations(Encoder):
    """Encodes records as conversations, and knows their sizes beforehand."""

    def sizes(self, rows: RowFacts) -> Numbers:
        """Give the bytes of each corpus row's line: shape (rows,)."""
        frame = len(_HEAD) + len(_MIDDLE) + len(_END)
        sizes: Numbers = rows.input_json + rows.response_json + frame
        return sizes

    def lines(self, table: Any) -> Iterable[bytes]:
        """Give the line of each row of a table with the columns `input` and `response`."""
        for row in zip(*(table.column(name).to_pylist() for name in ShareGPT.columns), strict=True):
            input_, response = map(orjson.dumps, row)
            yield b"".join((_HEAD, input_, _MIDDLE, response, _END))


class ShareGPT(LineFormat):
    """A folder with a train and a validation file, a conversation a line."""

    columns = ("input", "response")

    def encoder(self, first_line: int) -> Conversations:
        """Give what encodes a run's lines."""
        del first_line
        return Conversations()


FORMAT = ShareGPT
