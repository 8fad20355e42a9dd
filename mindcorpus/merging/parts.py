"""A shard to a part: the rows it keeps, and an index of all the rows it read.

This is the one place where raw rows are read. It runs in a worker process, knows nothing of
other shards, and gives the same bytes wherever and however often it runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.arrow import keys, numbers, texts
from mindcorpus.conversations import Conversation, kept_turns, last_answer
from mindcorpus.corpus.encoding import Frame, csv_cell_size, json_size
from mindcorpus.corpus.lineage import written_changes
from mindcorpus.corpus.turns import FIELDS, arrays_beside
from mindcorpus.limits import BATCH_BYTES
from mindcorpus.merging.chat_facts import facts_of, has_nul
from mindcorpus.records import is_blank, measure
from mindcorpus.sources.adapters import Adapter, Kept
from mindcorpus.sources.budgets import Budget, Meter
from mindcorpus.sources.readers import Drop, Shard, read_rows
from mindcorpus.stages.base import Record, RecordStage

#: The index: one line for each row read (for threads: each comment), in order. A line with a
#: reason was dropped; all others have keys, of which `records.Measured` tells. `…_json` and `…_csv`
#: are the bytes a text takes in JSON and CSV, `json_bytes` and `csv_bytes` those of the whole
#: record in the merged files; `rejected_json` is 0 where a rejected response says nothing, or
#: what the response says. Of a conversation `turns_json` are the bytes of its turns up to the
#: last answer, as messages, `system_json` those of the turns among these that instruct, with a
#: comma each, and `tools_json` those of its tools.
INDEX = pa.schema(
    [
        ("row", pa.int64()),
        ("item", pa.int32()),
        ("reason", pa.string()),
        ("evidence", pa.string()),
        ("changed", pa.string()),
        ("key", pa.binary(16)),
        ("input_key", pa.binary(16)),
        ("answer_key", pa.binary(16)),
        ("opening_key", pa.binary(16)),
        ("group_key", pa.binary(16)),
        ("holds", pa.string()),
        ("turns_json", pa.int32()),
        ("system_json", pa.int32()),
        ("tools_json", pa.int32()),
        ("input_chars", pa.int32()),
        ("response_chars", pa.int32()),
        ("input_words", pa.int32()),
        ("response_words", pa.int32()),
        ("input_json", pa.int32()),
        ("response_json", pa.int32()),
        ("rejected_json", pa.int32()),
        ("input_csv", pa.int32()),
        ("response_csv", pa.int32()),
        ("json_bytes", pa.int64()),
        ("csv_bytes", pa.int64()),
        ("tags", pa.string()),
    ]
)
#: The kept rows, as they wait for the plan: Arrow, quick to read again, and lightly compressed, as
#: memory for fresh file pages costs more than LZ4 does.
RECORDS = pa.schema(
    [
        ("input", pa.string()),
        ("response", pa.string()),
        ("rejected_response", pa.string()),
        ("tags", pa.string()),
        *FIELDS,
    ]
)
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_BATCH_ROWS = 50_000
_INDEX_ROWS = 10_000


def index_schema(stages: Sequence[RecordStage]) -> Any:
    """Give the columns of an index: ours, then those that stages add."""
    return pa.schema([*INDEX, *(column for stage in stages for column in stage.facts())])


@dataclass(frozen=True)
class PartJob:
    """A shard, how to adapt it, and the path (without ending) of the part it becomes."""

    shard: Shard
    source: str
    type: str
    tags: tuple[str, ...]
    adapter: Adapter
    stages: tuple[RecordStage, ...]
    """In the order in which they look at each record."""
    budget: Budget
    target: Path
    layout: str = ""
    """The layout of its file as JSON text, where it was seen and not said; else ""."""


class Dropped(NamedTuple):
    """Rows that gave no record for one reason."""

    first: Drop
    rows: int


@dataclass(frozen=True)
class Part:
    """A part on disk: an index line for each of `rows_read` rows, of which `kept` are records."""

    rows: int
    """Raw rows of the shard; where the next shard of the file starts to count."""
    rows_read: int
    kept: int
    conversations: int
    """How many of the records have more than their flat texts."""
    pairs: int
    """How many have more than what a format without a rejected side holds."""
    index: Path
    """Parquet with the columns of `INDEX`."""
    records: Path
    """Arrow stream with the columns of `RECORDS`."""
    dropped: tuple[Dropped, ...]
    """The rows that gave no record, by reason, in the order of the first row of each."""
    spent: int
    """Bytes that count against the budgets of its file and of the merge."""
    layout: str = ""
    """As in its job."""


def build_part(job: PartJob, tick: Callable[[int, int], None]) -> Part:
    """Read a shard and write its part. Raises `DataError` where the file cannot be read on."""
    rows = 0
    meter = Meter(job.budget, job.shard.file)

    def count(new: int, size: int) -> None:
        nonlocal rows
        rows += new
        tick(new, size)

    schema = index_schema(job.stages)
    index_path = job.target.with_suffix(".index.parquet")
    records_path = job.target.with_suffix(".arrow")
    with (
        pq.ParquetWriter(
            index_path, schema, compression="snappy", write_statistics=False
        ) as index_file,
        pa.OSFile(str(records_path), "wb") as records_file,
        pa.ipc.new_stream(records_file, RECORDS, options=_COMPRESSED) as records_stream,
    ):
        gathered = _Gathered(job, schema, records_stream, index_file, meter)
        for outcome in job.adapter(read_rows(job.shard, count, meter)):
            gathered.add(outcome)
        gathered.flush_index()
        gathered.flush_records()
    if not job.adapter.whole_file:
        assert gathered.rows_read == rows, "a row was read that nobody accounts for"
    return Part(
        rows,
        gathered.rows_read,
        gathered.kept,
        gathered.conversations,
        gathered.pairs,
        index_path,
        records_path,
        tuple(Dropped(*each) for each in gathered.dropped.values()),
        meter.spent,
        job.layout,
    )


class _Gathered:
    """Outcomes on their way to disk."""

    def __init__(
        self, job: PartJob, schema: Any, records_stream: Any, index_file: Any, meter: Meter
    ) -> None:
        self._job = job
        self._meter = meter
        self._schema = schema
        self._no_facts = (None,) * (len(schema) - len(INDEX))
        self._frame = Frame(job.source, job.type)
        self._records_stream = records_stream
        self._index_file = index_file
        self._index: list[tuple[Any, ...]] = []
        self._records: list[tuple[bytes, bytes, bytes, bytes]] = []
        self._beside: list[tuple[Conversation | None, str]] = []
        self._bytes = 0
        self.rows_read = 0
        self.kept = 0
        self.conversations = 0
        self.pairs = 0
        self.dropped: dict[str, tuple[Drop, int]] = {}

    def add(self, outcome: Kept | Drop) -> None:
        """Take what became of one row."""
        self.rows_read += 1
        drop = self._keep(outcome) if isinstance(outcome, Kept) else outcome
        if drop is not None:
            number, reason, evidence, item = drop
            first, rows = self.dropped.get(reason, (drop, 0))
            self.dropped[reason] = first, rows + 1
            self._index.append((number, item, reason, evidence, *(None,) * (len(self._schema) - 4)))
        if len(self._index) >= _INDEX_ROWS:
            self.flush_index()

    def _keep(self, record: Kept) -> Drop | None:
        number, input_, response, rejected, own_tags, changes, item, chat, group, metadata = record
        tags = list(dict.fromkeys((*self._job.tags, *own_tags)))
        changed = written_changes(changes) if changes else ""
        facts = self._no_facts
        if self._job.stages:
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
        self._index.append(
            (
                number,
                item,
                None,
                None,
                changed or None,
                measured.key,
                measured.input_key,
                measured.answer_key,
                measured.opening_key,
                self._group_key(group),
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
                self._frame.json_size(input_json + response_json + rejected_json, tags_text),
                self._frame.csv_size(
                    input_csv + response_csv + csv_cell_size(raw_rejected), tags_text
                ),
                tags_text,
                *facts,
            )
        )
        self._records.append((raw_input, raw_response, raw_rejected, tags_json))
        self._beside.append((chat, metadata))
        self.kept += 1
        self.conversations += chat is not None
        self.pairs += measured.answer_key is not None
        self._bytes += len(raw_input) + len(raw_response) + len(raw_rejected)
        if of_chat is not None or metadata:
            self._bytes += len(of_chat.said.whole if of_chat else b"") + len(metadata)
        if self._bytes >= BATCH_BYTES or len(self._records) >= _BATCH_ROWS:
            self.flush_records()
        return None

    def _group_key(self, group: str) -> bytes | None:
        """Hash what a record's group is called: a patient's number stands in no file."""
        if not group:
            return None
        # Of one source: another may use the same names for others.
        text = f"{self._job.source}\0{group}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, digest_size=16).digest()

    def _judge(
        self, record: Kept, tags: list[str]
    ) -> Drop | tuple[Record, list[str], str, tuple[Any, ...]]:
        """Have all stages look at a record: it is dropped, or goes on with tags, changes, facts."""
        job = self._job
        seen = Record(*record[1:4], job.source, job.type, tuple(tags), record.conversation)
        changes = [*record.changed]
        facts: list[Any] = []
        for stage in job.stages:
            seen, verdict = stage.apply(seen)
            if verdict.drop:
                return Drop(record.number, verdict.drop, verdict.evidence, record.item)
            changes += verdict.changed
            seen = seen._replace(tags=tuple(dict.fromkeys((*seen.tags, *verdict.tags))))
            assert len(verdict.facts) == len(stage.facts()), f"{stage} owes facts of a record"
            facts += verdict.facts
        return seen, list(seen.tags), written_changes(changes), tuple(facts)

    def flush_index(self) -> None:
        """Write the index lines that are gathered."""
        if self._index:
            columns = zip(*self._index, strict=True)
            arrays = [
                _index_array(column, field.type)
                for column, field in zip(columns, self._schema, strict=True)
            ]
            self._index_file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self._index.clear()

    def flush_records(self) -> None:
        """Write the records that are gathered."""
        if self._records:
            self._meter.given(self._bytes)
            columns = [texts(column) for column in zip(*self._records, strict=True)]
            columns += arrays_beside(self._beside)
            self._records_stream.write_batch(pa.RecordBatch.from_arrays(columns, schema=RECORDS))
            self._records.clear()
            self._beside.clear()
            self._bytes = 0


#: What an index says of a record that is no conversation.
_NO_TURNS = (None,) * 4


def _index_array(column: Sequence[Any], type_: Any) -> Any:
    if type_ == pa.string():
        return texts([value if value is None else value.encode() for value in column])
    if type_ == pa.binary(16):
        return keys(column)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        valid = np.array([value is not None for value in column], bool)
        return numbers([value or 0 for value in column], type_, valid)
    # Only a stage's facts come here, and pay for what it loads.
    return pa.array(column, type_)


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
