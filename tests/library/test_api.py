"""The Python API: the promised names, what they give, how they tell progress and are stopped."""

from __future__ import annotations

import doctest
import inspect
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest
from corpora import NAME, SAMPLE, inflate, merge_sample, own_rows, python
from registered import FORMATS
from sample_numbers import ANSWERED

import mindcorpus
from mindcorpus import (
    Cancellation,
    MergeResult,
    MindcorpusError,
    PrepareResult,
    Progress,
    Settings,
    get_merged_dataset_path,
    merge_all_datasets,
    merged_dataset_exists,
    prepare_all_formats,
    prepare_for_huggingface,
    prepare_for_openai,
    prepared_datasets_exist,
)
from mindcorpus.errors import CancelledError, ExistsError, SettingsError
from mindcorpus.progress import PHASES
from mindcorpus.sources.catalog import load_catalog

if TYPE_CHECKING:
    from hub_server import HubServer
    from made_sample import Made

pytest_plugins = ("made_sample",)

PROMISED: dict[str, Any] = {
    "merge_all_datasets": MergeResult,
    "merged_dataset_exists": bool,
    "get_merged_dataset_path": Path,
    "prepare_for_openai": PrepareResult,
    "prepare_for_huggingface": PrepareResult,
    "prepare_all_formats": dict[str, PrepareResult],
    "prepared_datasets_exist": dict[str, bool],
}


NONE = dict.fromkeys(FORMATS, False)


# The names


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_names_are_there_typed_and_explained(name: str) -> None:
    function = getattr(mindcorpus, name)
    assert name in mindcorpus.__all__
    assert name in dir(mindcorpus)
    assert get_type_hints(function)["return"] == PROMISED[name]
    assert inspect.getdoc(function)
    first, *_ = inspect.signature(function).parameters.values()
    assert (first.name, first.default) == ("data_dir", None)


def test_every_public_name_can_be_imported_and_no_other() -> None:
    for name in mindcorpus.__all__:
        assert getattr(mindcorpus, name)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = mindcorpus.nothing_of_the_kind


def test_the_example_in_the_docstring_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(mindcorpus).attempted == 3
    assert doctest.testmod(mindcorpus).failed == 2  # the second time, it all exists
    assert (tmp_path / f"datasets/{NAME}.json").exists()


# The job


def test_from_nothing_to_both_formats(tmp_path: Path) -> None:
    assert not merged_dataset_exists(tmp_path)
    assert prepared_datasets_exist(tmp_path) == NONE
    result = merge_all_datasets(str(tmp_path), sample=True, exclude=["TRACE"])
    assert merged_dataset_exists(tmp_path)
    assert get_merged_dataset_path(tmp_path) == result.json_path == tmp_path / f"{NAME}.json"
    assert prepare_for_openai(tmp_path).path == tmp_path / "mental_health_openai.jsonl"
    assert prepared_datasets_exist(tmp_path) == {**NONE, "openai": True}
    assert prepare_for_huggingface(tmp_path).path == tmp_path / "mental_health_huggingface"
    assert prepared_datasets_exist(tmp_path) == {**NONE, "openai": True, "huggingface": True}
    both = prepare_all_formats(tmp_path, caps={"Psych-101": 5}, types=["psychology"], force=True)
    assert {kind: each.rows for kind, each in both.items()} == dict.fromkeys(FORMATS, 5)


def test_results_tell_where_everything_is_and_what_it_holds(sample: Made) -> None:
    merged = sample.merged
    for path in (merged.json_path, merged.csv_path, merged.parquet_path, merged.lineage_path):
        assert path.exists()
    assert merged.manifest_path.is_file()
    assert merged.statistics["records"] == merged.manifest["rows"]
    catalog = list(load_catalog())
    asked = [source.licence.warning for source in catalog if source.licence.warning]
    assert list(merged.warnings) == asked
    assert list(merged.notes) == [
        f"{source.name}: {source.note}" for source in catalog if source.note
    ]
    assert merged.missing == ()
    for kind, result in sample.prepared.items():
        assert result.format == kind
        assert result.path.exists()
        assert result.manifest_path.is_file()
        assert result.rows == ANSWERED
    assert sample.prepared["openai"].split is None
    assert sample.prepared["huggingface"].findings == ()


def test_the_data_folder_comes_from_argument_settings_or_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(data_dir=Path("mine"), workers=1)
    assert get_merged_dataset_path() == Path(f"datasets/{NAME}.json")
    monkeypatch.setenv("MINDCORPUS_DATA_DIR", "variable")
    assert get_merged_dataset_path() == Path(f"variable/{NAME}.json")
    merge_all_datasets(sample=True, sources=["TRACE"], settings=settings)
    merge_all_datasets("argument", sample=True, sources=["TRACE"], settings=settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["argument", "mine"]
    assert (tmp_path / "mine" / f"{NAME}.json").exists()


def test_iterables_of_any_kind_and_paths_are_taken(tmp_path: Path) -> None:
    result = merge_all_datasets(
        tmp_path / "data",
        sample=True,
        sources=iter(["RedditESS", "mine"]),
        exclude=set(),
        paths={"RedditESS": SAMPLE / "raw/RedditESS"},
        catalogs=[Path(own_rows(tmp_path, "mine", [{"q": "one", "a": "two"}]))],
        options={"RedditESS.post": "post_text"},
    )
    assert set(result.statistics["by_source"]) == {"RedditESS", "mine"}


@pytest.mark.parametrize(
    "call",
    [
        lambda: merge_all_datasets("data", sample=True, source="TRACE"),  # type: ignore[call-arg]
        lambda: prepare_for_openai("data", cap={"TRACE": 1}),  # type: ignore[call-arg]
        lambda: prepare_all_formats("data", excluded=["TRACE"]),  # type: ignore[call-arg]
    ],
)
def test_a_misspelt_choice_is_no_choice(
    call: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError):
        call()
    assert list(tmp_path.iterdir()) == []


def test_errors_share_a_root_and_know_what_to_do(sample: Made) -> None:
    with pytest.raises(MindcorpusError) as caught:
        merge_all_datasets(sample.data_dir, sample=True)
    assert isinstance(caught.value, ExistsError)
    assert caught.value.as_dict()["code"] == "already-exists"
    assert caught.value.exit_code == 7
    with pytest.raises(SettingsError, match="workers"):
        Settings.load(workers=0)


# Progress


def check_progress(events: list[Progress]) -> None:
    """Look at what was told: stages in order, numbers that only grow, ends that are reached."""
    stages = [stage for stage, _ in itertools.groupby(event.stage for event in events)]
    assert stages == sorted(stages, key=PHASES.index)
    assert stages[-1] == "publish"
    for stage in set(stages) - {"fetch", "publish", "deduplicate"}:
        mine = [event for event in events if event.stage == stage]
        assert len({event.total for event in mine}) == 1
        assert mine[-1].total
        assert [event.done for event in mine] == sorted(event.done for event in mine)
        assert [event.rows for event in mine] == sorted(event.rows for event in mine)
        assert all(event.item for event in mine)
        # A bar must not run over its end, nor stop far from it.
        assert mine[-1].done <= mine[-1].total
        assert mine[-1].done >= mine[-1].total * 0.9


@pytest.mark.parametrize("workers", [1, 2])
def test_a_merge_from_the_hub_tells_every_stage(
    workers: int, hub: HubServer, tmp_path: Path
) -> None:
    for folder in ("HumanLLMs", "PomboLabs", "marcelbinz"):
        (hub.root / "datasets").mkdir(parents=True, exist_ok=True)
        (hub.root / "datasets" / folder).symlink_to(SAMPLE / "datasets" / folder)
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", workers=workers)
    events: list[Progress] = []
    names = ["Human-Like-DPO-Dataset", "Psych-101", "TRACE"]
    result = merge_all_datasets(sources=names, settings=settings, report=events.append)
    check_progress(events)
    assert {event.stage for event in events} == {*PHASES} - {"check"}
    assert {event.item for event in events if event.stage == "fetch"} == {*names}
    read = [event for event in events if event.stage == "read"]
    assert {event.item for event in read} == {*names}
    assert read[-1].rows == sum(entry["read"] for entry in result.manifest["sources"])
    for name in names:
        fetched = [event for event in events if event.stage == "fetch" and event.item == name]
        assert [event.done for event in fetched] == sorted(event.done for event in fetched)
        assert fetched[-1].done == fetched[-1].total


@pytest.mark.parametrize("workers", [1, 2])
def test_merge_and_prepare_tell_how_far_they_are(workers: int, tmp_path: Path) -> None:
    paths = inflate(tmp_path / "raw", 4)
    events: list[Progress] = []
    settings = Settings(data_dir=tmp_path / "data", workers=workers)
    merge_all_datasets(paths=paths, settings=settings, report=events.append)
    check_progress(events)
    events.clear()
    prepare_all_formats(settings=settings, report=events.append)
    check_progress(events)


def test_an_error_in_the_reporter_stops_the_work_and_leaves_nothing(tmp_path: Path) -> None:
    def report(progress: Progress) -> None:
        if progress.stage == "write":
            raise KeyError("the reporter's own")

    for workers in (1, 2):
        with pytest.raises(KeyError):
            merge_sample(tmp_path, workers, report)
    assert list((tmp_path / "staging").iterdir()) == []
    assert not merged_dataset_exists(tmp_path)


# Cancellation


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of a corpus that takes seconds to merge."""
    return inflate(tmp_path_factory.mktemp("raw"), 40)


def cancelled_at(
    stage: str, work: Callable[[Callable[[Progress], None], Cancellation], object]
) -> float:
    """Cancel from another thread once a stage is reached; give the seconds it took to stop."""
    reached, asked, cancel = threading.Event(), [0.0], Cancellation()

    def ask() -> None:
        reached.wait(60)
        asked[0] = time.monotonic()
        cancel.cancel()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        with pytest.raises(CancelledError):
            work(lambda progress: reached.set() if progress.stage == stage else None, cancel)
        return time.monotonic() - asked[0]
    finally:
        reached.set()
        thread.join()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_merge_stops_within_a_second_and_leaves_nothing(
    stage: str, workers: int, raw: dict[str, str], tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, workers=workers)
    threads = threading.active_count()

    def work(report: Callable[[Progress], None], cancel: Cancellation) -> object:
        return merge_all_datasets(paths=raw, settings=settings, report=report, cancel=cancel)

    assert cancelled_at(stage, work) < 1.5
    assert list((tmp_path / "staging").iterdir()) == []
    assert list((tmp_path / "artifacts").iterdir()) == []
    assert threading.active_count() == threads


@pytest.mark.parametrize("workers", [1, 2])
def test_a_prepare_stops_too_and_the_old_formats_stay(
    workers: int, raw: dict[str, str], tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, workers=2)
    merge_all_datasets(paths=raw, settings=settings)
    settings = settings.model_copy(update={"workers": workers})
    before = prepare_for_openai(settings=settings, caps={"TRACE": 1}).rows

    def work(report: Callable[[Progress], None], cancel: Cancellation) -> object:
        return prepare_all_formats(settings=settings, force=True, report=report, cancel=cancel)

    assert cancelled_at("write", work) < 1.5
    assert list((tmp_path / "staging").iterdir()) == []
    assert len((tmp_path / "mental_health_openai.jsonl").read_bytes().splitlines()) == before
    assert prepared_datasets_exist(tmp_path) == {**NONE, "openai": True}


def test_what_is_cancelled_beforehand_does_not_begin(tmp_path: Path) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(CancelledError):
        merge_all_datasets(tmp_path, sample=True, cancel=cancel)
    assert not merged_dataset_exists(tmp_path)


# Where it is called from

SCRIPT = """
import sys, threading
print("started")
from mindcorpus import Settings, merge_all_datasets, prepare_all_formats

settings = Settings(data_dir=sys.argv[1], workers=3)

def work():
    merge_all_datasets(sample=True, settings=settings)
    print(sorted(prepare_all_formats(settings=settings)))

if sys.argv[2] == "main":
    work()
else:
    threads = [threading.Thread(target=work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("ended")
"""


@pytest.mark.parametrize("thread", ["main", "another"])
def test_a_script_needs_no_guard_and_any_thread_may_call(thread: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # A folder of this name beside the script is not taken for the library called so.
    (tmp_path / "datasets").mkdir()
    process = python(script, tmp_path / "data", thread, stdout=-1, stderr=-1)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert out.decode().splitlines() == ["started", "['huggingface', 'openai']", "ended"]
    assert merged_dataset_exists(tmp_path / "data")


def test_two_threads_may_merge_at_once(sample: Made, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def work(folder: Path) -> None:
        try:
            for _ in range(3):
                merge_sample(folder, workers=2, force=True)
                prepare_all_formats(folder, force=True, settings=Settings(workers=2))
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(tmp_path / name,), daemon=True)
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []
    raw = sample.merged.json_path.read_bytes()
    assert all((tmp_path / name / f"{NAME}.json").read_bytes() == raw for name in ("one", "two"))
