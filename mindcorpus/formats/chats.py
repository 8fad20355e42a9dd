"""What chat formats share: a record that is a conversation is written turn by turn.

A format gives the line of a plain record, of its two texts, and that of a conversation. Turns
behind the last answer are in neither: a trainer learns nothing from them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mindcorpus.chat_messages import has_misplaced_keys
from mindcorpus.conversations import Conversation, kept_turns, last_answer
from mindcorpus.corpus.row_batch import RowBatch
from mindcorpus.corpus.turns import turns_of
from mindcorpus.formats.base import Made
from mindcorpus.formats.lines import Encoder, LineFile, LineFormat
from mindcorpus.storage.files import Written

#: What a chat format reads of the corpus.
COLUMNS = ("input", "response", "source", "messages", "tools", "parallel_tool_calls")
# Conversations that are Python objects at one time: a batch is as large as its flat texts say,
# and instructions, of which these have none, may be longer than all the rest.
_AT_ONCE = 1000

Changed = Counter[tuple[str, str]]
"""How many rows: by source, and by what was done to them."""


class Encoded(NamedTuple):
    """What an encoder tells of a run's lines."""

    changed: Changed
    checked: Any = None
    """What the rules of those who read the format say of them, where it knows any."""


class Text(NamedTuple):
    """A text, and the same as JSON: that is encoded once for all that hold it."""

    plain: str
    json: bytes


class ChatEncoder(Encoder):
    """Encodes plain records of their two texts, and conversations of their turns."""

    columns = COLUMNS

    def __init__(self) -> None:
        self._changed: Changed = Counter()
        self._place = 0

    @abstractmethod
    def plain(self, input_: Text, response: Text) -> bytes:
        """Give the line of a record that its two texts say."""

    def plain_lines(self, rows: RowBatch) -> Iterable[bytes]:
        """Give the lines of records that their two texts say, one behind the other."""
        for input_, response in _texts(rows):
            self._place += 1
            yield self.plain(input_, response)

    @abstractmethod
    def chat(self, chat: Conversation) -> tuple[bytes, Sequence[str]]:
        """Give the line of a conversation, and a word for each thing done to it.

        Its turns are the `kept_turns`; a format is given none that holds what it cannot carry.
        """

    @property
    def number(self) -> int:
        """The number of the record whose line is asked for, among all of its section, from 1."""
        return self._place

    def lines(self, table: Any, first: int) -> Iterable[bytes]:
        """Give the line of each row of a table with `COLUMNS`, of which some may be missing."""
        return self.lines_of(RowBatch(table), first)

    def lines_of(self, rows: RowBatch, first: int) -> Iterable[bytes]:
        """Give the same of rows whose texts others may have encoded already."""
        self._place = first
        if "messages" not in rows.table.column_names:
            yield from self.plain_lines(rows)
            return
        for at in range(0, rows.num_rows, _AT_ONCE):
            yield from self._mixed(rows.slice(at, _AT_ONCE))

    def _mixed(self, rows: RowBatch) -> Iterator[bytes]:
        beside = rows.values("source"), conversations_of(rows.table)
        for (input_, response), source, chat in zip(_texts(rows), *beside, strict=True):
            self._place += 1
            if chat is None:
                yield self.plain(input_, response)
                continue
            answer = last_answer(chat.turns)
            kept = kept_turns(chat.turns, answer)
            line, changes = self.chat(chat._replace(turns=tuple(kept)))
            if len(kept) <= answer:
                changes = *changes, "empty-turns-left-out"
            if any(map(has_misplaced_keys, kept)):
                changes = *changes, "misplaced-keys-left-out"
            self._changed.update((source, change) for change in changes)
            yield line

    def result(self) -> Encoded:
        """Give what is to be told of the lines."""
        return Encoded(self._changed)


def _texts(rows: RowBatch) -> Iterator[tuple[Text, Text]]:
    both = (map(Text, rows.values(name), rows.json(name)) for name in ("input", "response"))
    return zip(*both, strict=True)


def conversations_of(table: Any) -> Iterator[Conversation | None]:
    """Give each row's conversation, without a pair's other side; None for a plain record."""
    said = turns_of(table.column("messages"))
    beside = (table.column(name).to_pylist() for name in ("tools", "parallel_tool_calls"))
    for turns, tools, parallel in zip(said, *beside, strict=True):
        yield None if turns is None else Conversation(turns, (), tools, parallel)


class ChatFormat(LineFormat):
    """A chat a line."""

    def describe(
        self,
        files: Sequence[LineFile],
        outputs: Sequence[Written],
        encoded: Sequence[Sequence[Any]],
    ) -> Made:
        """Tell what was done to conversations."""
        return Made(outputs, changed=changed_in(files, encoded))


def changed_in(
    files: Sequence[LineFile], encoded: Sequence[Sequence[Encoded]]
) -> dict[str, Changed]:
    """Add up what encoders did to the records of each section: once, however many files it has."""
    changed: dict[str, Changed] = {}
    for file, runs in zip(files, encoded, strict=True):
        if file.lines.section not in changed:
            changed[file.lines.section] = Counter()
            for run in runs:
                changed[file.lines.section].update(run.changed)
    return changed
