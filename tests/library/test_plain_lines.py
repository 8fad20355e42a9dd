"""Rows taken many at once become what each becomes alone: index, records, drops, to the byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mindcorpus.conversations import Conversation, Turn
from mindcorpus.corpus.encoding import csv_cell_size, json_size
from mindcorpus.corpus.joined_texts import Joined
from mindcorpus.merging import part_records, parts
from mindcorpus.merging.parts import Part, PartJob, build_part
from mindcorpus.records import _WIDE_BLANKS, fold, measure
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.budgets import Budget
from mindcorpus.sources.readers import Drop, Row, Shard

# What texts of people hold, and what only an attacker writes.
HOSTILE = (
    "a\u0301\u0323e\u0301\u00e9\u212a\u1e9b\u0323\ufb01\u3000\u00a0\u2028\u2029\x85\u200b\u200d"
    "\U0001f600\U0001f469\u200d\U0001f4bb\u0627\u0651\u0915\u093f\uac00\u1100\u1161\u65e5\u0e33"
)
texts = st.one_of(
    st.text(
        f'{HOSTILE}{"".join(sorted(_WIDE_BLANKS))} \t\r\n\x1c\x1f\x0b\x07\x7f"\\,ab', max_size=12
    ),
    st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), max_size=8),
    st.sampled_from(
        ["", " ", "\u2003\n", "so it is", "\u201cyes\u201d \u2014 he said", "no\u00a0 way"]
    ),
)
unfit = st.one_of(texts, st.sampled_from(["\0", "a\0b", "\ud800", "x\udfffy", "\ud83d\ude00"]))


@given(st.lists(texts, min_size=1, max_size=30))
@example(["", " ", "\u00a0", "a  b", " a", "b ", "e\u0301", "\u00a0\u0301"])
def test_texts_are_measured_together_as_each_is_alone(each: list[str]) -> None:
    raw = [text.encode() for text in each]
    joined = Joined.of(each)
    folded = joined.folded()
    assert joined.one_by_one() == raw
    assert joined.close_together() == b"".join(raw)
    assert joined.sizes.tolist() == [len(text) for text in raw]
    assert folded.one_by_one() == [fold(text) for text in raw]
    assert folded.word_counts().tolist() == [measure(text, b"").input_words for text in raw]
    assert joined.json_sizes().tolist() == [
        json_size(*both) for both in zip(each, raw, strict=True)
    ]
    assert joined.csv_sizes().tolist() == [csv_cell_size(text) for text in raw]


@pytest.mark.parametrize("text", ["a\0", "\0", "\ud800"])
def test_a_text_that_no_record_may_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        Joined.of(["fine", text])


@dataclass(frozen=True)
class Given:
    """An adapter that gives what it was told."""

    selects: ClassVar[frozenset[str]] = frozenset()
    outcomes: tuple[Kept | Drop, ...]
    whole_file: bool = True

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        """Give them."""
        del rows
        yield from self.outcomes


def built(folder: Path, outcomes: Sequence[Kept | Drop], few: int) -> tuple[Part, Any, list[Any]]:
    """Make a part; fewer rows than `few` are looked at one by one. Gives its index and records."""
    (folder / "rows.jsonl").touch()
    shard = Shard(folder / "rows.jsonl", "rows.jsonl", "jsonl", 0, 0)
    budget = Budget(10**9, "job_limit_gb")
    target = folder / f"part-{few}"
    job = PartJob(shard, "own", "talk", ("all",), Given(tuple(outcomes)), (), budget, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_FEW", few)
        patch.setattr(parts, "_INDEX_ROWS", 20)
        patch.setattr(parts, "BATCH_BYTES", 200)
        patch.setattr(part_records, "BATCH_BYTES", 60)
        patch.setattr(part_records, "_BATCH_ROWS", 7)
        part = build_part(job, lambda *_: None)
    groups = pq.ParquetFile(part.index)
    index = [groups.read_row_group(at).to_pylist() for at in range(groups.num_row_groups)]
    with pa.OSFile(str(part.records)) as file, pa.ipc.open_stream(file) as stream:
        records = [(batch.nbytes, batch.to_pylist()) for batch in stream]
    return part, index, records


tags = st.lists(st.sampled_from(["grief", 'a "b"', "é", "\ud800", "all"]), max_size=2).map(tuple)
chat = Conversation((Turn("system", "Be."), Turn("user", "q"), Turn("assistant", "a")))


@st.composite
def outcomes(draw: st.DrawFn) -> list[Kept | Drop]:
    """Give what may become of rows, most of it plain."""
    found: list[Kept | Drop] = []
    for number in range(draw(st.integers(1, 60))):
        kind = draw(st.sampled_from(["plain"] * 8 + ["drop", "pair", "chat", "metadata", "long"]))
        input_, response = draw(unfit), draw(unfit)
        row = Kept(
            number,
            input_,
            response,
            tags=draw(tags),
            changed=draw(st.sampled_from([(), (), ("run-on-cut",), ("[", "x")])),
            item=draw(st.integers(0, 2)),
            group=draw(st.sampled_from(["", "", "one", "\ud800"])),
        )
        if kind == "drop":
            found.append(Drop(number, "broken-json", draw(st.sampled_from(["", "at 3"])), 1))
        elif kind == "pair":
            found.append(row._replace(rejected_response=draw(unfit)))
        elif kind == "chat":
            found.append(row._replace(input="q", response="a", conversation=chat))
        elif kind == "metadata":
            found.append(row._replace(metadata='{"id":1}'))
        elif kind == "long":
            found.append(row._replace(response=response + "word " * 500))
        else:
            found.append(row)
    return found


@settings(deadline=None)
@given(outcomes())
def test_rows_taken_together_become_what_each_becomes_alone(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Kept | Drop]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    alone, together = built(folder, rows, 10**6), built(folder, rows, 1)
    for one, other in zip(alone[1:], together[1:], strict=True):
        assert one == other
    told = [
        (part.rows_read, part.kept, part.conversations, part.pairs, part.dropped, part.spent)
        for part in (alone[0], together[0])
    ]
    assert told[0] == told[1]
