"""One row at a time: its line in a part's index, and its record as it is written."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import orjson

from mindcorpus.conversations import Conversation, kept_turns, last_answer
from mindcorpus.corpus.encoding import Frame, csv_cell_size, json_size
from mindcorpus.corpus.lineage import written_changes
from mindcorpus.merging.chat_facts import facts_of, has_nul
from mindcorpus.records import is_blank, measure
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.readers import Drop
from mindcorpus.stages.base import Record, RecordStage

#: What an index says of a record that is no conversation.
_NO_TURNS = (None,) * 4


class Line(NamedTuple):
    """What becomes of a row that is kept."""

    values: tuple[Any, ...]
    """Its values of the columns of the index."""
    texts: tuple[bytes, bytes, bytes, bytes]
    """Input, response, rejected response and tags."""
    beside: tuple[Conversation | None, str]
    """Its conversation and its metadata."""
    size: int
    """Bytes of all that, but the tags."""
    is_pair: bool
    """Whether it has more than what a format without a rejected side holds."""


class Lines:
    """Makes the lines of the rows of one part."""

    def __init__(
        self,
        source: str,
        type_: str,
        tags: tuple[str, ...],
        stages: tuple[RecordStage, ...],
        facts: int,
    ) -> None:
        """Take what all rows share; `facts` is how many columns the stages add."""
        self._source, self._type = source, type_
        self._tags = tags
        self._stages = stages
        self._no_facts = (None,) * facts
        self.frame = Frame(source, type_)

    def tags_of(self, own: tuple[str, ...]) -> list[str]:
        """Give the tags of a record, those of its source before its own."""
        return list(dict.fromkeys((*self._tags, *own)))

    def of(self, record: Kept) -> Drop | Line:
        """Make the line of one row, unless it is dropped."""
        number, input_, response, rejected, own_tags, changes, item, chat, group, metadata = record
        tags = self.tags_of(own_tags)
        changed = written_changes(changes) if changes else ""
        facts = self._no_facts
        if self._stages:
            outcome = self._judge(record, tags)
            if isinstance(outcome, Drop):
                return outcome
            (input_, response, rejected, *_, chat), tags, changed, facts = outcome
        try:
            # Refused are lone surrogates, which no UTF-8 file could carry.
            raw_input, raw_response, raw_rejected = (
                input_.encode(),
                response.encode(),
                rejected.encode(),
            )
            tags_json = orjson.dumps(tags)
            metadata.encode()
            # Before a conversation is looked at: its turns are folded with a NUL between them.
            if (
                b"\0" in raw_input
                or b"\0" in raw_response
                or b"\0" in raw_rejected
                or (chat and has_nul(chat))
            ):
                return Drop(number, "nul-character", "", item)
            of_chat = None if chat is None else facts_of(chat, input_, response)
        except (UnicodeEncodeError, orjson.JSONEncodeError) as error:
            return Drop(number, "not-utf8", _place_of(error), item)
        if is_blank(input_):
            return Drop(number, "blank-input", "", item)
        measured = measure(raw_input, raw_response, raw_rejected, of_chat and of_chat.said)
        input_json = json_size(input_, raw_input)
        response_json = json_size(response, raw_response)
        rejected_json = json_size(rejected, raw_rejected)
        input_csv, response_csv = csv_cell_size(raw_input), csv_cell_size(raw_response)
        tags_text = tags_json.decode()
        line = (
            number,
            item,
            None,
            None,
            changed or None,
            measured.key,
            measured.input_key,
            measured.answer_key,
            measured.opening_key,
            self.group_key(group),
            *(_NO_TURNS if of_chat is None else of_chat[1:]),
            len(input_),
            len(response),
            measured.input_words,
            measured.response_words,
            input_json,
            response_json,
            rejected_json if _is_rejected(rejected, response, chat) else 0,
            input_csv,
            response_csv,
            self.frame.json_size(input_json + response_json + rejected_json, tags_text),
            self.frame.csv_size(input_csv + response_csv + csv_cell_size(raw_rejected), tags_text),
            tags_text,
            *facts,
        )
        size = len(raw_input) + len(raw_response) + len(raw_rejected)
        if of_chat is not None or metadata:
            size += len(of_chat.said.whole if of_chat else b"") + len(metadata)
        return Line(
            line,
            (raw_input, raw_response, raw_rejected, tags_json),
            (chat, metadata),
            size,
            measured.answer_key is not None,
        )

    def group_key(self, group: str) -> bytes | None:
        """Hash what a record's group is called: a patient's number stands in no file."""
        if not group:
            return None
        # Of one source: another may use the same names for others.
        text = f"{self._source}\0{group}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16).digest()

    def _judge(
        self, record: Kept, tags: list[str]
    ) -> Drop | tuple[Record, list[str], str, tuple[Any, ...]]:
        """Have all stages look at a record: it is dropped, or goes on with tags, changes, facts."""
        seen = Record(*record[1:4], self._source, self._type, tuple(tags), record.conversation)
        changes = [*record.changed]
        facts: list[Any] = []
        for stage in self._stages:
            seen, verdict = stage.apply(seen)
            if verdict.drop:
                return Drop(record.number, verdict.drop, verdict.evidence, record.item)
            changes += verdict.changed
            seen = seen._replace(tags=tuple(dict.fromkeys((*seen.tags, *verdict.tags))))
            assert len(verdict.facts) == len(stage.facts()), f"{stage} owes facts of a record"
            facts += verdict.facts
        return seen, list(seen.tags), written_changes(changes), tuple(facts)


def _is_rejected(rejected: str, response: str, chat: Conversation | None) -> bool:
    """Tell whether a rejected side says something, and something else than the chosen one."""
    if is_blank(rejected) or rejected != response:
        return not is_blank(rejected)
    if chat is None or not chat.rejected:
        return False
    # By what exports hold: turns behind the last answer, and silent ones, tell nothing apart.
    one, other = (
        [(turn.role, turn.content, turn.tool_calls) for turn in kept_turns(side, last_answer(side))]
        for side in chat[:2]
    )
    return one != other


def _place_of(error: Exception) -> str:
    return f"at character {error.start}" if isinstance(error, UnicodeEncodeError) else "in a tag"
