"""Many rows at once that are two short texts each: their lines in the index, and their records.

What it gives is what `row_lines` gives of each row alone, which takes several times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import xxhash

from mindcorpus.arrow import joined_keys, joined_texts, keys, numbers, repeated, texts
from mindcorpus.corpus.encoding import Frame, csv_cell_size
from mindcorpus.corpus.joined_texts import Counts, Joined
from mindcorpus.corpus.lineage import written_changes
from mindcorpus.corpus.row_facts import Flags
from mindcorpus.corpus.turns import FIELDS
from mindcorpus.merging.part_records import RECORDS
from mindcorpus.merging.row_lines import Lines
from mindcorpus.records import is_blank
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.readers import Drop

#: Texts of a record, together, in characters: what calls cost does not show beside longer ones.
SHORT = 2048
#: The bytes of an empty text as JSON and as a CSV cell.
_EMPTY_JSON, _EMPTY_CSV = len(orjson.dumps("")), csv_cell_size(b"")


def plain_size(row: Kept | Drop) -> int | None:
    """Give the characters of a record that is two short texts, and nothing but tags and a group.

    0 for a row that is dropped already, None for any other.
    """
    if type(row) is not Kept:
        return 0
    _, input_, response, rejected, _, _, _, chat, _, metadata = row
    size = len(input_) + len(response)
    return None if chat is not None or rejected or metadata or size > SHORT else size


class Batch(NamedTuple):
    """What becomes of some rows."""

    index: Any
    """A table with a line for each."""
    records: Any
    """A record batch of those that are kept."""
    sizes: Counts
    """The bytes of each of these."""
    dropped: list[Drop]


def batch_of(rows: Sequence[Kept | Drop], lines: Lines, schema: Any) -> Batch:
    """Make the lines of rows that are plain, or dropped already."""
    try:
        return _batch_of(rows, lines, schema)
    except (ValueError, orjson.JSONEncodeError):
        # Some cannot be records: each says for itself why.
        return _batch_of([_judged(row, lines) for row in rows], lines, schema)


def _judged(row: Kept | Drop, lines: Lines) -> Kept | Drop:
    if isinstance(row, Kept) and isinstance(drop := lines.of(row), Drop):
        return drop
    return row


def _batch_of(rows: Sequence[Kept | Drop], lines: Lines, schema: Any) -> Batch:
    """Do it; raises `ValueError` or `JSONEncodeError` where a row cannot be a record."""
    kept = [row for row in rows if isinstance(row, Kept)]
    dropped = [row for row in rows if isinstance(row, Drop)]
    there = np.array([isinstance(row, Kept) for row in rows], bool) if dropped else None
    own = {tags: orjson.dumps(lines.tags_of(tags)) for tags in {row.tags for row in kept}}
    tags = [own[row.tags] for row in kept]
    inputs = Joined.of([row.input for row in kept])
    responses = Joined.of([row.response for row in kept])
    if any(is_blank(row.input) for row in kept):
        raise ValueError("an input is blank")
    columns = {
        "row": numbers([row.number for row in rows], pa.int64()),
        "item": numbers([row.item for row in rows], pa.int32()),
        **_of_drops(rows, dropped),
        **_compared(inputs, responses, there),
        **_of_kept(kept, lines, there),
        "tags": _words(tags, there),
    }
    sizes = {
        "input_chars": np.fromiter((len(row.input) for row in kept), np.int64, len(kept)),
        "response_chars": np.fromiter((len(row.response) for row in kept), np.int64, len(kept)),
        **_sizes(inputs, responses, tags, lines.frame),
    }
    columns |= {
        name: _numbers(each, there, schema.field(name).type) for name, each in sizes.items()
    }
    index = [
        columns[field.name] if field.name in columns else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return Batch(
        pa.Table.from_arrays(index, schema=schema),
        _records(inputs, responses, tags),
        inputs.sizes + responses.sizes,
        dropped,
    )


def _of_drops(rows: Sequence[Kept | Drop], dropped: Sequence[Drop]) -> dict[str, Any]:
    """Give the columns that say why rows were dropped."""
    if not dropped:
        return {}
    drops = [row if isinstance(row, Drop) else None for row in rows]
    return {
        "reason": texts([drop and drop.reason.encode() for drop in drops]),
        "evidence": texts([None if drop is None else drop.evidence.encode() for drop in drops]),
    }


def _compared(inputs: Joined, responses: Joined, there: Flags | None) -> dict[str, Any]:
    """Give the columns that `records.measure` computes."""
    asked, answered = inputs.folded(), responses.folded()
    questions = asked.one_by_one()
    pairs = zip(questions, answered.one_by_one(), strict=True)
    digest = xxhash.xxh3_128_digest
    return {
        "input_key": joined_keys(b"".join(map(digest, questions)), there),
        "key": joined_keys(b"".join([digest(b"\0".join(pair)) for pair in pairs]), there),
        "input_words": _numbers(asked.word_counts(), there, pa.int32()),
        "response_words": _numbers(answered.word_counts(), there, pa.int32()),
    }


def _of_kept(kept: Sequence[Kept], lines: Lines, there: Flags | None) -> dict[str, Any]:
    """Give the columns of what most records do not have."""
    found = {}
    words = {each: written_changes(each) for each in {row.changed for row in kept}}
    if any(words.values()):
        changed = [words[row.changed].encode() or None for row in kept]
        found["changed"] = texts(_spread(changed, there))
    if any(row.group for row in kept):
        found["group_key"] = keys(_spread([lines.group_key(row.group) for row in kept], there))
    return found


def _sizes(
    inputs: Joined, responses: Joined, tags: Sequence[bytes], frame: Frame
) -> dict[str, Counts]:
    """Give the columns that `corpus.encoding` computes."""
    input_json, response_json = inputs.json_sizes(), responses.json_sizes()
    input_csv, response_csv = inputs.csv_sizes(), responses.csv_sizes()
    known = set(tags)
    json_frames = {each: frame.json_size(_EMPTY_JSON, each.decode()) for each in known}
    csv_frames = {each: frame.csv_size(_EMPTY_CSV, each.decode()) for each in known}
    return {
        "input_json": input_json,
        "response_json": response_json,
        # What a rejected response takes that there is not.
        "rejected_json": np.zeros(len(tags), np.int64),
        "input_csv": input_csv,
        "response_csv": response_csv,
        "json_bytes": input_json
        + response_json
        + np.array([json_frames[each] for each in tags], np.int64),
        "csv_bytes": input_csv
        + response_csv
        + np.array([csv_frames[each] for each in tags], np.int64),
    }


def _records(inputs: Joined, responses: Joined, tags: Sequence[bytes]) -> Any:
    columns = [
        *(joined_texts(each.close_together(), each.sizes) for each in (inputs, responses)),
        joined_texts(b"", np.zeros(len(tags), np.int64)),
        _words(tags, None),
        *(pa.nulls(len(tags), field.type) for field in FIELDS),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORDS)


def _words(values: Sequence[bytes], there: Flags | None) -> Any:
    """Make an array of texts that are few, or one alone."""
    if there is None and len(set(values)) == 1:
        return repeated(values[0].decode(), len(values))
    return texts(_spread(values, there))


def _numbers(values: Counts, there: Flags | None, type_: Any) -> Any:
    if there is None:
        return numbers(values, type_)
    spread = np.zeros(len(there), np.int64)
    spread[there] = values
    return numbers(spread, type_, there)


def _spread(values: Sequence[Any], there: Flags | None) -> Sequence[Any]:
    """Put None where there is no record."""
    if there is None:
        return values
    left = iter(values)
    return [next(left) if each else None for each in there.tolist()]
