"""A corpus that is planned in one place and written in several: the same bytes, whoever writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_distributed import at_once, corpus, outcomes, own_request

from mindcorpus.corpus.encoding import CSV_HEADER
from mindcorpus.errors import ArtifactError, CancelledError
from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import WorkerPool
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.distributed_writing import merge_or_spread, seal_parts
from mindcorpus.merging.merge import MergeResult
from mindcorpus.progress import Cancellation, Progress, Reporter, silent
from mindcorpus.settings import Settings
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.sealing import WrittenParts
from mindcorpus.storage.shared_work import SharedWork, Spread, Writers, works_in
from mindcorpus.storage.space import unused_parts
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

JOB = "0" * 32
NAME = f"{JOB}.1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "shared", cache_dir=tmp_path / "cache", workers=1)


def writers(count: int = 2, part_bytes: int = 1) -> Writers:
    return Writers(NAME, count, part_bytes)


def plan(request: MergeRequest, settings: Settings, who: Writers | None = None) -> Spread:
    found = outcomes(request, settings)
    made = merge_or_spread(
        request, found, settings, silent, Cancellation(), Publisher(JOB, 1), who or writers()
    )
    assert isinstance(made, Spread)
    return made


def write(planned: Spread, number: int, settings: Settings, fence: int = 7) -> dict[str, str]:
    """Write a part as a process does that knows JSON alone."""
    payload = json.loads(json.dumps(planned.parts()[number]))
    work = SharedWork(settings.data_dir / "staging", payload["work"])
    attempt = work.attempt(payload["number"], payload["sha256"], fence)
    context = JobContext(WorkerPool(settings.workers), silent, Cancellation())
    made: dict[str, str] = json.loads(json.dumps(attempt.run(payload["item"], context)))
    return made


def write_all(planned: Spread, settings: Settings) -> list[dict[str, str]]:
    """Write all parts, the last first."""
    made = [write(planned, number, settings) for number in reversed(range(len(planned.tasks)))]
    return made[::-1]


def seal(
    request: MergeRequest,
    planned: Spread,
    attempts: list[dict[str, str]],
    settings: Settings,
    *,
    strays: bool = False,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> MergeResult:
    told: dict[str, Any] = json.loads(json.dumps(planned.as_dict()))
    parts = WrittenParts(told["work"], told["state"], attempts, strays)
    found = outcomes(request, settings)
    publisher = Publisher(JOB, 2)
    return seal_parts(request, found, parts, settings, report, cancel or Cancellation(), publisher)


def staged(settings: Settings) -> list[str]:
    return [path.name for path in (settings.data_dir / "staging").iterdir()]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_sample_written_in_parts_is_the_sample_at_once(
    workers: int, sample: Made, settings: Settings
) -> None:
    settings = settings.model_copy(update={"workers": workers})
    request = MergeRequest(sample=True)
    planned = plan(request, settings)
    assert len(planned.tasks) > 5
    assert staged(settings) == [f"job-{NAME}"]
    assert not Store(settings.data_dir).corpus_exists()
    result = seal(request, planned, write_all(planned, settings), settings)
    assert corpus(settings.data_dir) == corpus(sample.data_dir)
    assert result.manifest == sample.merged.manifest
    assert verify(settings.data_dir) == []
    assert staged(settings) == []
    assert (planned.amounts.rows, planned.amounts.total) == (
        result.manifest["rows"],
        result.csv_path.stat().st_size - len(CSV_HEADER),
    )


def test_each_part_may_be_written_where_the_folder_is_mounted_elsewhere(
    sample: Made, settings: Settings, tmp_path: Path
) -> None:
    request = MergeRequest(sample=True)
    planned = plan(request, settings)
    attempts = []
    for number in range(len(planned.tasks)):
        there = settings.model_copy(update={"data_dir": tmp_path / f"mounted {number}"})
        settings.data_dir.rename(there.data_dir)
        attempts.append(write(planned, number, there))
        there.data_dir.rename(settings.data_dir)
    there = settings.model_copy(update={"data_dir": tmp_path / "last"})
    settings.data_dir.rename(there.data_dir)
    seal(request, planned, attempts, there)
    assert corpus(there.data_dir) == corpus(sample.data_dir)


def test_what_travels_names_no_place_on_this_machine(settings: Settings, tmp_path: Path) -> None:
    planned = plan(own_request(tmp_path / "raw", "one", "two"), settings)
    work = SharedWork(settings.data_dir / "staging", NAME)
    told = json.dumps([planned.as_dict(), planned.parts()]).encode()
    texts = [path.read_bytes() for path in (work.root / "state", *work.root.glob("tasks/*"))]
    assert len(texts) == len(planned.tasks) + 1
    assert not any(str(tmp_path).encode() in text for text in (told, *texts))


def test_a_part_that_is_written_twice_counts_once(sample: Made, settings: Settings) -> None:
    request = MergeRequest(sample=True)
    planned = plan(request, settings)
    attempts = write_all(planned, settings)
    for number in range(len(planned.tasks)):
        write(planned, number, settings, fence=8)
    attempts[3] = {**write(planned, 3, settings, fence=9)}
    seal(request, planned, attempts, settings)
    assert corpus(settings.data_dir) == corpus(sample.data_dir)


@pytest.mark.parametrize("strays", [False, True])
def test_what_a_stray_has_open_is_not_what_is_published(
    strays: bool, sample: Made, settings: Settings
) -> None:
    request = MergeRequest(sample=True)
    planned = plan(request, settings)
    attempts = write_all(planned, settings)
    root = settings.data_dir / "staging" / f"job-{NAME}"
    names = "merged_mental_health_dataset.json", "merged_mental_health_dataset.csv"
    opened = [(root / "output" / name).open("r+b") for name in names]
    seal(request, planned, attempts, settings, strays=strays)
    for file in opened:
        # What somebody writes who was taken for dead, in the worst case.
        file.write(b"nonsense")
        file.close()
    assert (corpus(settings.data_dir) == corpus(sample.data_dir)) is strays


def test_small_text_or_one_writer_is_no_plan_that_travels(settings: Settings) -> None:
    request = MergeRequest(sample=True, force=True)
    found = outcomes(request, settings)
    for number, who in enumerate((writers(count=1), writers(part_bytes=1 << 20))):
        made = merge_or_spread(
            request, found, settings, silent, Cancellation(), Publisher(f"{number}", 1), who
        )
        assert isinstance(made, MergeResult)
        assert staged(settings) == []


def test_tasks_are_bundled_in_order_by_their_text() -> None:
    who = writers(part_bytes=10)
    assert who.bundles([4, 6, 1, 30, 2, 2]) == [range(2), range(2, 3), range(3, 4), range(4, 6)]
    # No more than one, or too few in all.
    assert who.bundles([50]) == who.bundles([10, 10, 10]) == []
    assert writers(count=1, part_bytes=10).bundles([20, 20]) == []


def test_what_is_read_stays_as_long_as_somebody_may_read_it(
    settings: Settings, tmp_path: Path
) -> None:
    request = own_request(tmp_path / "raw", "one", "two")
    planned = plan(request, settings)
    store = Store(settings.data_dir)
    parts = {path.parent.name for path in store.parts.glob("*/part.arrow")}
    for name in parts:
        os.utime(store.parts / name, (0, 0))
    assert len(parts) == 2
    assert parts <= store.pins.held()
    assert list(unused_parts(store, 1)) == []
    seal(request, planned, write_all(planned, settings), settings)
    assert corpus(settings.data_dir) == at_once(request, tmp_path / "once")
    assert not parts & store.pins.held()


def test_a_corpus_that_several_wrote_is_known_again(settings: Settings, tmp_path: Path) -> None:
    request = own_request(tmp_path / "raw", "one", "two", force=True)
    planned = plan(request, settings)
    seal(request, planned, write_all(planned, settings), settings)
    found = outcomes(request, settings)
    again = merge_or_spread(
        request, found, settings, silent, Cancellation(), Publisher("1" * 32, 1), writers()
    )
    assert isinstance(again, MergeResult)
    assert again.unchanged


def test_a_plan_that_is_gone_or_changed_is_told(settings: Settings, tmp_path: Path) -> None:
    request = own_request(tmp_path / "raw", "one", "two")
    planned = plan(request, settings)
    attempts = write_all(planned, settings)
    root = settings.data_dir / "staging" / f"job-{NAME}"
    for path, call in (
        (root / "tasks" / "2", lambda: write(planned, 2, settings, 8)),
        (root / "state", lambda: seal(request, planned, attempts, settings)),
        (
            root / "attempts" / attempts[2]["attempt"] / "results",
            lambda: seal(request, planned, attempts, settings),
        ),
    ):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + b"!")
        with pytest.raises(ArtifactError, match="was changed"):
            call()
        path.unlink()
        if path.parent.name != "tasks":
            with pytest.raises(ArtifactError, match="is gone"):
                call()
        path.write_bytes(content)
    SharedWork(settings.data_dir / "staging", NAME).remove()
    with pytest.raises(ArtifactError, match="is gone"):
        write(planned, 0, settings, 8)
    assert not Store(settings.data_dir).corpus_exists()


def test_an_attempt_that_fails_leaves_nothing_of_its_own(
    settings: Settings, tmp_path: Path
) -> None:
    planned = plan(own_request(tmp_path / "raw", "one", "two"), settings)
    root = settings.data_dir / "staging" / f"job-{NAME}"
    work = SharedWork(settings.data_dir / "staging", NAME)
    cancel = Cancellation()
    cancel.cancel()
    attempt = work.attempt(2, planned.tasks[2], 7)
    assert [path.name for path in (root / "attempts").iterdir()] == ["2.7"]
    with pytest.raises(CancelledError):
        attempt.run("", JobContext(WorkerPool(1), silent, cancel))
    assert list((root / "attempts").iterdir()) == []


def test_a_seal_that_is_stopped_can_be_tried_again(settings: Settings, tmp_path: Path) -> None:
    request = own_request(tmp_path / "raw", "one", "two")
    planned = plan(request, settings)
    attempts = write_all(planned, settings)
    cancel = Cancellation()

    def report(progress: Progress) -> None:
        if progress.stage == "publish":
            cancel.cancel()

    with pytest.raises(CancelledError):
        seal(request, planned, attempts, settings, report=report, cancel=cancel)
    assert staged(settings) == [f"job-{NAME}"]
    seal(request, planned, attempts, settings)
    assert corpus(settings.data_dir) == at_once(request, tmp_path / "once")
    assert staged(settings) == []


def test_a_sweep_leaves_what_others_work_in(settings: Settings, tmp_path: Path) -> None:
    plan(own_request(tmp_path / "raw", "one", "two"), settings)
    store = Store(settings.data_dir)
    store.sweep()
    (found,) = works_in(store.staging)
    assert (found.name, found.root.is_dir()) == (NAME, True)
    found.remove()
    assert list(works_in(store.staging)) == []
