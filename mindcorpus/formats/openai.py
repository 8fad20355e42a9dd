"""OpenAI chat JSON lines: system, user and assistant for each record, or its turns.

Every line is checked against the provider's published rules as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import orjson

from mindcorpus.chat_messages import messages_of, tools_json
from mindcorpus.conversations import INSTRUCTING, Conversation
from mindcorpus.corpus.row_batch import RowBatch
from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.formats.base import Made
from mindcorpus.formats.chat_check import ChatCheck, combine
from mindcorpus.formats.chat_turns import LETTERS
from mindcorpus.formats.chats import ChatEncoder, ChatFormat, Encoded, Text, changed_in
from mindcorpus.formats.lines import LineFile, Lines
from mindcorpus.formats.seen_keys import SeenKeys
from mindcorpus.records import is_blank
from mindcorpus.storage.files import Written

_START = b'{"messages":['


class ChatLines(ChatEncoder):
    """Encodes records as chat lines, knows their sizes beforehand, and checks them."""

    def __init__(self, system_prompt: str, policy: str) -> None:
        super().__init__()
        self._policy = policy
        self._system = [{"role": "system", "content": system_prompt}] if policy != "none" else []
        # The same in each line, so encoded once.
        self._configured = b"".join(orjson.dumps(message) + b"," for message in self._system)
        self._head = _START + self._configured + b'{"role":"user","content":'
        self._middle = b'},{"role":"assistant","content":'
        self._end = b"}]}\n"
        self._check = ChatCheck(batches=SeenKeys())
        roles = (*(message["role"] for message in self._system), "user", "assistant")
        self._order = "".join(LETTERS[role] for role in roles)
        self._characters = sum(len(message["content"]) for message in self._system)
        self._is_ordinary = not any(is_blank(message["content"]) for message in self._system)

    def sizes(self, rows: RowFacts) -> Numbers:
        """Give the bytes of each corpus row's line: shape (rows,)."""
        frame = len(self._head) + len(self._middle) + len(self._end)
        plain = rows.input_json + rows.response_json + frame
        frame = len(_START) + len(b"]") + len(b"}\n")
        turns = rows.turns_json + rows.tools_json + frame
        if self._policy == "own":
            turns += np.where(rows.system_json > 0, 0, len(self._configured))
        else:
            turns += len(self._configured) - rows.system_json
        sizes: Numbers = np.where(rows.turns_json > 0, turns, plain)
        return sizes

    def plain(self, input_: Text, response: Text) -> bytes:
        """Give the line of a record that its two texts say."""
        line = self._line(input_.json, response.json)
        self._check_plain(input_.plain, response.plain, line)
        return line

    def plain_lines(self, rows: RowBatch) -> Iterable[bytes]:
        """Give the lines of such records, checked all at once where there is nothing to find."""
        inputs, responses = rows.values("input"), rows.values("response")
        lines = list(map(self._line, rows.json("input"), rows.json("response")))
        sizes = [
            self._characters + len(input_) + len(response)
            for input_, response in zip(inputs, responses, strict=True)
        ]
        ordinary = self._is_ordinary and not any(map(is_blank, (*inputs, *responses)))
        if ordinary and self._check.examples_of(self._order, sizes, lines):
            self._place += len(lines)
            return lines
        for input_, response, line in zip(inputs, responses, lines, strict=True):
            self._place += 1
            self._check_plain(input_, response, line)
        return lines

    def _line(self, input_: bytes, response: bytes) -> bytes:
        return b"".join((self._head, input_, self._middle, response, self._end))

    def _check_plain(self, input_: str, response: str, line: bytes) -> None:
        value = {
            "messages": [
                *self._system,
                {"role": "user", "content": input_},
                {"role": "assistant", "content": response},
            ]
        }
        self._check.example(self.number, value, line)

    def chat(self, chat: Conversation) -> tuple[bytes, Sequence[str]]:
        """Give the line of a conversation."""
        messages = messages_of(chat.turns)
        if self._policy != "own":
            messages = [each for each in messages if each["role"] not in INSTRUCTING]
        if self._policy != "own" or all(each["role"] not in INSTRUCTING for each in messages):
            messages = [*self._system, *messages]
        end = tools_json(chat.tools, chat.parallel_tool_calls)
        line = b"".join((b'{"messages":', orjson.dumps(messages), end, b"}\n"))
        value = orjson.loads(line) if end else {"messages": messages}
        self._check.example(self.number, value, line)
        return line, ()

    def result(self) -> Encoded:
        """Give what was done to conversations, and what the provider's rules say of the lines."""
        return Encoded(self._changed, self._check.result())


class ChatLinesFormat(ChatFormat):
    """A format of these lines, with what the provider's rules say of them."""

    def lines(self) -> Sequence[Lines]:
        """Give what encodes and checks them."""
        return [Lines(ChatLines, (self.settings["system_prompt"], self.settings["system_policy"]))]

    def describe(
        self,
        files: Sequence[LineFile],
        outputs: Sequence[Written],
        encoded: Sequence[Sequence[Any]],
    ) -> Made:
        """Tell what the rules say of all lines, and of the first file as a whole."""
        checked = combine([run.checked for run in encoded[0]], "", outputs[0].bytes)
        return Made(
            outputs,
            findings=[asdict(finding) for finding in checked.findings],
            finding_counts=checked.counts,
            changed=changed_in(files, encoded),
        )


class OpenAI(ChatLinesFormat):
    """One chat file, which the provider takes as it is."""


FORMAT = OpenAI
