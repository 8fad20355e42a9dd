"""What formats of preference pairs share: a record as a prompt and two answers, each of turns."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from mindcorpus.chat_messages import has_misplaced_keys, tools_json
from mindcorpus.conversations import INSTRUCTING, Turn, kept_turns, last_answer, prompt_size
from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.corpus.turns import turns_of
from mindcorpus.formats.chats import Changed, Encoded
from mindcorpus.formats.lines import Encoder

Message = dict[str, Any]
Turns = Sequence[Turn]

#: What a pair's format can hold where an answer is one message of a role and a text.
ONE_TEXT = ("turns", "system", "uneven-turns", "late-system")
_TEXTS = ("input", "response", "rejected_response", "source")
_BESIDE = ("messages", "rejected_messages", "tools", "parallel_tool_calls")
# As of chats: conversations that are Python objects at one time.
_AT_ONCE = 1000


class Pair(NamedTuple):
    """A prompt and two answers to it."""

    prompt: list[Message]
    """What both sides begin with; its last message is a user's, or a tool's."""
    chosen: list[Message]
    rejected: list[Message]
    tools: bytes = b""
    """The tools, as they stand behind the messages of an example."""


class PairEncoder(Encoder):
    """Encodes pairs of texts, and of conversations; a system prompt is part of the prompt."""

    columns = (*_TEXTS, *_BESIDE)
    prompts: ClassVar[int] = 1
    """How often a record's lines hold its prompt."""

    def __init__(self, system_prompt: str, policy: str) -> None:
        self._policy = policy
        self._system = [Turn("system", system_prompt)] if policy != "none" else []
        self._changed: Changed = Counter()

    @abstractmethod
    def encode(self, pair: Pair) -> bytes:
        """Give the lines of a pair."""

    def messages(self, turns: Turns) -> list[Message]:
        """Give turns as messages: by default of role and content, and none is a developer's."""
        return [
            {
                "role": "system" if turn.role == "developer" else turn.role,
                "content": turn.content or "",
            }
            for turn in turns
        ]

    def sizes(self, rows: RowFacts) -> Numbers | None:
        """Give the bytes of each corpus row's lines, shape (rows,); None where one has turns."""
        if rows.turns_json.any():
            return None
        nothing = len(b'""')
        frame = len(self._of_texts("", "", "")) - (self.prompts + 2) * nothing
        sizes: Numbers = self.prompts * rows.input_json + rows.response_json + rows.rejected_json
        return sizes + frame

    def lines(self, table: Any, first: int) -> Iterable[bytes]:
        """Give the lines of each row of a table with `columns`, of which some may be missing."""
        del first
        if "messages" not in table.column_names:
            for input_, response, rejected, _ in _texts(table):
                yield self._of_texts(input_, response, rejected)
            return
        for at in range(0, table.num_rows, _AT_ONCE):
            yield from self._mixed(table.slice(at, _AT_ONCE))

    def _mixed(self, table: Any) -> Iterator[bytes]:
        sides = (turns_of(table.column(name)) for name in _BESIDE[:2])
        beside = (table.column(name).to_pylist() for name in _BESIDE[2:])
        rows = zip(_texts(table), *sides, *beside, strict=True)
        for (input_, response, rejected, source), turns, other, tools, parallel in rows:
            if turns is None:
                yield self._of_texts(input_, response, rejected)
                continue
            chosen, lost = _kept(turns), _kept(other or ())
            size = prompt_size(chosen, lost)
            if other is None:
                size = len(chosen) - 1
                lost = [*chosen[:size], Turn("assistant", rejected)]
            self._count(source, turns, chosen, other or (), lost)
            yield self._line(chosen, lost, size, tools_json(tools, parallel))

    def _of_texts(self, input_: str, response: str, rejected: str) -> bytes:
        asked = Turn("user", input_)
        one, other = ([asked, Turn("assistant", text)] for text in (response, rejected))
        return self._line(one, other, 1, b"")

    def _line(self, chosen: Turns, rejected: Turns, size: int, tools: bytes) -> bytes:
        parts = [chosen[:size], chosen[size:], rejected[size:]]
        if self._policy != "own":
            parts = [[turn for turn in part if turn.role not in INSTRUCTING] for part in parts]
        if all(turn.role not in INSTRUCTING for part in parts for turn in part):
            parts[0] = [*self._system, *parts[0]]
        prompt, one, other = map(self.messages, parts)
        return self.encode(Pair(prompt, one, other, tools))

    def _count(
        self, source: str, turns: Turns, chosen: Turns, other: Turns, rejected: Turns
    ) -> None:
        """Count what is not told of a pair's turns by what it holds."""
        behind = last_answer(turns) + 1 < len(turns)
        if not behind and last_answer(other) + 1 < len(other):
            self._changed[source, "later-turns-left-out"] += 1
        if any(len(_kept_all(side)) > len(_kept(side)) for side in (turns, other)):
            self._changed[source, "empty-turns-left-out"] += 1
        if any(map(has_misplaced_keys, (*chosen, *rejected))):
            self._changed[source, "misplaced-keys-left-out"] += 1

    def result(self) -> Encoded:
        """Give what was done to pairs."""
        return Encoded(self._changed)


def _kept(turns: Turns) -> list[Turn]:
    return [*kept_turns(turns, last_answer(turns))]


def _kept_all(turns: Turns) -> Turns:
    return turns[: last_answer(turns) + 1]


def _texts(table: Any) -> Iterator[tuple[str, str, str, str]]:
    return zip(*(table.column(name).to_pylist() for name in _TEXTS), strict=True)
