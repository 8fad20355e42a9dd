"""Formats that are planned in one place and written in several: the same bytes, whoever writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from corpora import merge_own, own_rows
from test_build import CHOSEN, catalogs, files_of, one_after_the_other

from mindcorpus.corpus import row_batch
from mindcorpus.errors import ExistsError, SettingsError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.merge import merge
from mindcorpus.preparing import runs
from mindcorpus.preparing.distributed_writing import Results, prepare_or_spread, seal_formats
from mindcorpus.preparing.prepare import prepare
from mindcorpus.progress import Cancellation, Progress, Reporter, silent
from mindcorpus.settings import Settings
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.sealing import WrittenParts
from mindcorpus.storage.shared_work import SharedWork, Spread, Writers
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

__all__ = ["catalogs"]  # a fixture

JOB = "0" * 32


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have runs of one part and of several, and batches of a few rows."""
    monkeypatch.setattr(runs, "_RUN_BYTES", 6000)
    monkeypatch.setattr(row_batch, "BATCH_BYTES", 4096)


def plan(
    data_dir: Path, chosen: Mapping[str, Any], fence: int = 1, force: bool = False
) -> Spread | Results:
    return prepare_or_spread(
        PrepareRequest(**chosen, force=force),
        Settings(data_dir=data_dir, workers=1),
        silent,
        Cancellation(),
        Publisher(JOB, fence),
        Writers(f"{JOB}.{fence}", 2, 1),
    )


def write_all(planned: Spread, data_dir: Path) -> list[dict[str, str]]:
    """Write each part as processes do that know JSON alone, the last first."""
    found = []
    for payload in reversed(json.loads(json.dumps(planned.parts()))):
        work = SharedWork(data_dir / "staging", payload["work"])
        attempt = work.attempt(payload["number"], payload["sha256"], 7)
        context = JobContext(WorkerPool(1), silent, Cancellation())
        found.append(json.loads(json.dumps(attempt.run(payload["item"], context))))
    return found[::-1]


def seal(
    data_dir: Path,
    chosen: Mapping[str, Any],
    planned: Spread,
    attempts: list[dict[str, str]],
    *,
    fence: int = 2,
    strays: bool = False,
    report: Reporter = silent,
) -> Results:
    parts = WrittenParts(planned.work, planned.state, attempts, strays)
    settings = Settings(data_dir=data_dir, workers=1)
    request = PrepareRequest(**chosen)
    return seal_formats(request, parts, settings, report, Cancellation(), Publisher(JOB, fence))


def spread(data_dir: Path, chosen: Mapping[str, Any]) -> Spread:
    planned = plan(data_dir, chosen)
    assert isinstance(planned, Spread)
    assert len(planned.tasks) > 1
    return planned


@pytest.mark.parametrize("strays", [False, True])
@pytest.mark.parametrize("chosen", CHOSEN.values(), ids=list(CHOSEN))
def test_formats_written_in_parts_are_those_of_a_prepare(
    tmp_path: Path, catalogs: list[str], chosen: Mapping[str, Any], strays: bool
) -> None:
    one_after_the_other(tmp_path / "once", catalogs, **chosen)
    planned_in, written_in, data_dir = (tmp_path / name for name in ("a", "b", "c"))
    merge_own(planned_in, *catalogs)
    planned = spread(planned_in, chosen)
    # Each host has mounted the folder elsewhere.
    planned_in.rename(written_in)
    attempts = write_all(planned, written_in)
    written_in.rename(data_dir)
    told: list[Progress] = []
    made = seal(data_dir, chosen, planned, attempts, strays=strays, report=told.append)
    expected, found = files_of(tmp_path / "once"), files_of(data_dir)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert verify(data_dir) == []
    assert list((data_dir / "staging").iterdir()) == []
    rows = max(each.rows for each in made.values())
    assert (told[-1].rows, told[-1].share) == (rows, 1)
    shares = [each.share or 0 for each in told]
    assert shares == sorted(shares)


def test_they_are_of_the_corpus_that_was_there_when_they_were_planned(
    tmp_path: Path, catalogs: list[str]
) -> None:
    chosen = CHOSEN["of the guide"]
    one_after_the_other(tmp_path / "once", catalogs, **chosen)
    data_dir = tmp_path / "data"
    merge_own(data_dir, *catalogs)
    planned = spread(data_dir, chosen)
    before = Store(data_dir).folder("corpus")
    (tmp_path / "other").mkdir()
    catalog = own_rows(tmp_path / "other", "other", [{"q": "?", "a": "!"}])
    other = MergeRequest(sources=("other",), catalogs=(catalog,), force=True)
    merge(other, settings := Settings(data_dir=data_dir, keep_builds=0))
    Store.of(settings).sweep()
    assert before.is_dir(), "it is read"
    made = seal(data_dir, chosen, planned, write_all(planned, data_dir))
    expected, found = files_of(tmp_path / "once"), files_of(data_dir)
    for name in made:
        assert [each for each in expected if each.startswith(f"{name}/")]
        assert all(
            found[each] == content
            for each, content in expected.items()
            if each.startswith(f"{name}/")
        )
    Store.of(settings).sweep()
    assert not before.exists()


def test_a_seal_that_was_cut_short_goes_on_where_it_was(
    tmp_path: Path, catalogs: list[str]
) -> None:
    chosen = CHOSEN["of the guide"]
    data_dir = tmp_path / "data"
    merge_own(data_dir, *catalogs)
    planned = spread(data_dir, chosen)
    attempts = write_all(planned, data_dir)
    first = seal(data_dir, chosen, planned, attempts)
    folders = {name: Store(data_dir).folder(name) for name in first}
    # All was published, and nobody heard of it.
    again = seal(data_dir, chosen, planned, attempts, fence=3)
    assert {name: each.manifest for name, each in again.items()} == {
        name: each.manifest for name, each in first.items()
    }
    assert {name: Store(data_dir).folder(name) for name in first} == folders


def test_what_may_not_be_replaced_is_refused_before_and_after(
    tmp_path: Path, catalogs: list[str]
) -> None:
    chosen = CHOSEN["of the guide"]
    data_dir = tmp_path / "data"
    merge_own(data_dir, *catalogs)
    planned = spread(data_dir, chosen)
    attempts = write_all(planned, data_dir)
    prepare(PrepareRequest(seed=9), Settings(data_dir=data_dir, workers=1))
    there = files_of(data_dir)
    with pytest.raises(ExistsError):
        seal(data_dir, chosen, planned, attempts)
    assert files_of(data_dir) == there
    with pytest.raises(ExistsError):
        plan(data_dir, chosen, fence=3)


def test_a_format_that_cannot_be_made_is_told_once_the_others_are(
    tmp_path: Path, catalogs: list[str]
) -> None:
    chosen = {"formats": ("openai", "trl-dpo"), "sources": ("plain",)}
    data_dir = tmp_path / "data"
    merge_own(data_dir, *catalogs)
    planned = spread(data_dir, chosen)
    with pytest.raises(SettingsError, match="trl-dpo"):
        seal(data_dir, chosen, planned, write_all(planned, data_dir))
    assert Store(data_dir).exists("openai")
    assert list((data_dir / "staging").iterdir()) == []
