"""Every format, loaded by those who are to read it: `make test-consumers`.

Not found by `make test`: it installs about a gigabyte. Each consumer reads the published folders
with its own loader, in an environment of its own; what comes out is compared, row by row and text
by text, with the corpus' Parquet, by the export's lineage.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from environments import CORPUS, Consumer, asked_for, python_of, read
from expected import Corpus

from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.merge import merge
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings

_SAMPLE = Path(__file__).parents[1] / "chat_sample" / "catalog.toml"
_TALKS = Path(__file__).parent / "talks" / "catalog.toml"
Told = dict[str, dict[str, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The sample of the seven sources with chats and pairs of every kind, and all its formats."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), workers=1)
    merge(MergeRequest(sample=True, catalogs=(str(_SAMPLE), str(_TALKS))), settings)
    prepare(PrepareRequest(formats=tuple(FORMATS)), settings)
    return Corpus(settings.data_dir)


def _formats_of(consumer: Consumer) -> list[str]:
    """Give what a consumer reads, of what there is."""
    every = [name for name in FORMATS if name not in consumer.formats]
    named = [name for name in consumer.formats if name in {CORPUS, *FORMATS}]
    return [*named, *every] if "*" in consumer.formats else named


@pytest.fixture(scope="module", params=asked_for(), ids=lambda consumer: str(consumer.name))
def consumer(request: pytest.FixtureRequest) -> Consumer:
    found: Consumer = request.param
    if python_of(found) is None:
        pytest.skip(f"{found.name} needs Python {found.python} or later, and none is here")
    return found


@pytest.fixture(scope="module")
def told(consumer: Consumer, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What the consumer's own loader gave of each format."""
    names = _formats_of(consumer)
    if not names:
        pytest.skip(f"no format of {consumer.name} is registered")
    folders = {name: corpus.folder(name, without=consumer.refuses.get(name, ())) for name in names}
    return read(consumer, folders, tmp_path_factory.mktemp("reader"))


def test_each_row_comes_out_as_it_went_in(consumer: Consumer, corpus: Corpus, told: Told) -> None:
    assert told
    for name, files in told.items():
        expected = corpus.expected(name, without=consumer.refuses.get(name, ()))
        assert {*files} == {*expected}, name
        for file, rows in files.items():
            assert len(rows) == len(expected[file]), (name, file)
            found = Counter(_as_text(corpus.without_prompt(name, row)) for row in rows)
            if not consumer.loses:
                assert found == Counter(map(_as_text, expected[file])), (name, file)
                continue
            whole = corpus.expected(name, without=consumer.loses)[file]
            assert Counter(map(_as_text, whole)) <= found, (name, file)


def test_no_side_is_empty_and_nothing_is_on_both_sides(told: Told) -> None:
    for name, files in told.items():
        sides: dict[str, set[str]] = {}
        for file, rows in files.items():
            assert rows, (name, file)
            assert all(text.strip() for row in rows for text in _said(row)), (name, file)
            part = "validation" if "valid" in file else "train"
            if "train" in file or "valid" in file:
                sides.setdefault(part, set()).update(map(_as_text, rows))
        assert not sides.get("train", set()) & sides.get("validation", set()), name


def test_what_has_weight_0_is_not_learnt(corpus: Corpus, told: Told) -> None:
    learnt = [row for files in told.values() for rows in files.values() for row in rows]
    learnt = [row for row in learnt if "learnt" in row]
    texts = {text for row in learnt for text in row["learnt"]}
    assert not texts & corpus.not_to_learn()
    assert all(row["learnt"] for row in learnt)


def _said(row: dict[str, Any]) -> Iterator[str]:
    """Give the last text of each side of a row."""
    for side in ("turns", "prompt", "chosen", "rejected", "completion"):
        if side in row:
            yield row[side][-1][1] if row[side] else ""


def _as_text(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True)


def test_a_record_is_on_the_same_side_in_every_format(corpus: Corpus) -> None:
    sides: dict[int, set[str]] = {}
    for name in FORMATS:
        for each in pq.read_table(corpus.lineage(name)).to_pylist():
            sides.setdefault(each["corpus_row"], set()).add(each["part"])
    assert all(len(found) == 1 for found in sides.values())
    assert {side for found in sides.values() for side in found} == {"train", "validation"}
