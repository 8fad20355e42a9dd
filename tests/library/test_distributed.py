"""A merge in steps, each by a process that knows only JSON: the same bytes as in one go."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import HOMES, NAMES, SAMPLE, SHARED, digests, own_rows, own_source
from own_layouts import entry, write_rows
from raw_files import HUB, needs_hub

from mindcorpus.errors import (
    CancelledError,
    DataError,
    ExistsError,
    FetchError,
    HubUnavailableError,
    MindcorpusError,
    WrongBytesError,
)
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.choice import choose_sources
from mindcorpus.merging.distributed import find_files, make_parts
from mindcorpus.merging.distributed_writing import merge_parts
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.merging.shards import SourceFiles
from mindcorpus.progress import Cancellation, Progress, Reporter, silent
from mindcorpus.settings import Settings
from mindcorpus.sources.lock import SourcesLock
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from hub_server import HubServer
    from made_sample import Made

pytest_plugins = ("made_sample",)

Outcomes = Mapping[str, SourceFiles | MindcorpusError | None]
MIB = 1024 * 1024


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "fanned", cache_dir=tmp_path / "cache", workers=1)


def travelled(found: SourceFiles) -> SourceFiles:
    """Give what arrives at another process."""
    return SourceFiles.from_dict(json.loads(json.dumps(found.as_dict())))


def find(request: MergeRequest, name: str, settings: Settings) -> SourceFiles:
    found = find_files(request, name, settings, silent, Cancellation())
    assert found is not None
    return travelled(found)


def make(
    request: MergeRequest, found: SourceFiles, settings: Settings, report: Reporter = silent
) -> None:
    """Make all parts of a source, bundle by bundle, the last first."""
    for bundle in reversed(found.bundles()):
        make_parts(request, found, bundle, settings, report, Cancellation())


def outcomes(request: MergeRequest, settings: Settings) -> Outcomes:
    """Take all steps but the last."""
    found_by_name: dict[str, SourceFiles | MindcorpusError | None] = {}
    for name in choose_sources(request).names:
        try:
            found = find_files(request, name, settings, silent, Cancellation())
            found_by_name[name] = None if found is None else travelled(found)
            if found is not None:
                make(request, travelled(found), settings)
        except (FetchError, DataError) as error:
            found_by_name[name] = error
    return found_by_name


def end(
    request: MergeRequest,
    found_by_name: Outcomes,
    settings: Settings,
    publisher: Publisher | None = None,
) -> MergeResult:
    return merge_parts(request, found_by_name, settings, silent, Cancellation(), publisher)


def fan(request: MergeRequest, settings: Settings) -> MergeResult:
    return end(request, outcomes(request, settings), settings)


def corpus(data_dir: Path) -> dict[str, str]:
    """Give the sha256 of each file of the corpus."""
    found = digests(data_dir / "artifacts/corpus")
    assert len(found) > 5
    return found


def at_once(request: MergeRequest, folder: Path, workers: int = 2) -> dict[str, str]:
    """Give the corpus that `merge` makes."""
    merge(request, Settings(data_dir=folder, workers=workers))
    return corpus(folder)


def parts(settings: Settings) -> dict[str, tuple[int, int]]:
    """Give which file each part's records are, and when they were written."""
    found = {}
    for path in (settings.data_dir / "parts").glob("*/part.arrow"):
        status = path.stat()
        found[path.parent.name] = (status.st_ino, status.st_mtime_ns)
    return found


def own_request(folder: Path, *sources: str, rows: int = 20, **request: Any) -> MergeRequest:
    catalogs = [
        own_rows(folder, name, [{"q": f"{name} asks {n}?", "a": f"Yes, {n}."} for n in range(rows)])
        for name in sources
    ]
    return MergeRequest(sources=sources, catalogs=tuple(catalogs), **request)


# The same bytes


@pytest.mark.parametrize("workers", [1, 2])
def test_the_sample_in_steps_is_the_sample_at_once(
    workers: int, sample: Made, settings: Settings
) -> None:
    settings = settings.model_copy(update={"workers": workers})
    result = fan(MergeRequest(sample=True), settings)
    assert corpus(settings.data_dir) == corpus(sample.data_dir)
    assert result.manifest == sample.merged.manifest
    assert result.statistics == sample.merged.statistics
    assert (result.notes, result.warnings) == (sample.merged.notes, sample.merged.warnings)
    assert verify(settings.data_dir) == []
    assert list((settings.data_dir / "staging").iterdir()) == []


@needs_hub
@pytest.mark.parametrize("workers", [1, 2])
def test_the_real_slices_too(workers: int, tmp_path: Path, settings: Settings) -> None:
    paths = {name: str(HUB / home) for name, home in HOMES.items()}
    paths["RedditESS"] = str(SHARED / "local/RedditESS")
    request = MergeRequest(paths={name: paths[name] for name in NAMES})
    fan(request, settings.model_copy(update={"workers": workers}))
    assert corpus(settings.data_dir) == at_once(request, tmp_path / "once", workers)


def test_a_large_source_is_cut_into_bundles(tmp_path: Path, settings: Settings) -> None:
    with (tmp_path / "large.jsonl").open("w") as file:
        for row in range(70):
            file.write(json.dumps({"q": f"What is {row}?", "a": f"{row} " * (MIB // 3)}) + "\n")
    assert (tmp_path / "large.jsonl").stat().st_size > 64 * MIB
    catalog = own_source(tmp_path, "large", "large.jsonl")
    small = own_request(tmp_path, "small")
    request = MergeRequest(sources=("large", "small"), catalogs=(catalog, *small.catalogs))
    found = find(request, "large", settings)
    bundles = found.bundles()
    assert len(bundles) >= 3
    assert [shard for bundle in bundles for shard in bundle] == list(found.shards)
    assert all(sum(map(found.size_of, bundle)) <= 32 * MIB for bundle in bundles)
    assert len(find(request, "small", settings).bundles()) == 1
    fan(request, settings)
    assert len(parts(settings)) == len(found.shards) + 1
    assert corpus(settings.data_dir) == at_once(request, tmp_path / "once")


def test_a_layout_that_is_seen_holds_for_all_shards_of_its_file(
    tmp_path: Path, settings: Settings
) -> None:
    chats = [
        {"m": [{"from": "human", "value": f"{n}?"}, {"from": "gpt", "value": "Ja."}]}
        for n in range(30)
    ]
    # Behind the first shard, rows that would be taken for another layout by themselves.
    filler = "x" * 40_000
    others = [{"question": f"{n} {filler}", "answer": "a"} for n in range(900)]
    folder = tmp_path / "raw"
    folder.mkdir()
    write_rows(folder / "own.jsonl", [*chats, *others, {"m": chats[0]["m"] * 2}])
    catalog = folder / "own.toml"
    catalog.write_text(entry("own", "own.jsonl"), "utf-8")
    request = MergeRequest(sources=("own",), catalogs=(str(catalog),), allow_loss={"own": 1.0})
    result = fan(request, settings)
    (source,) = result.manifest["sources"]
    assert source["kept"] == 31
    assert source["dropped"] == {"missing-column": 900}
    assert source["layouts"]["own.jsonl"]["options"] == {"messages": "m"}
    assert at_once(request, tmp_path / "at-once") == corpus(settings.data_dir)


def test_what_travels_names_no_place_on_this_machine(tmp_path: Path, settings: Settings) -> None:
    request = own_request(tmp_path / "raw", "own")
    found = find(request, "own", settings)
    assert str(tmp_path) not in json.dumps(found.as_dict())
    assert travelled(found) == found
    assert found.size == (tmp_path / "raw/own.jsonl").stat().st_size


# Parts are made once


def test_a_repeated_merge_makes_no_part_again(settings: Settings) -> None:
    request = MergeRequest(sample=True, force=True)
    fan(request, settings)
    before, files = parts(settings), corpus(settings.data_dir)
    assert len(before) > len(NAMES)
    fan(request, settings)
    assert parts(settings) == before
    assert corpus(settings.data_dir) == files


def test_a_changed_file_makes_only_its_own_part_anew(tmp_path: Path, settings: Settings) -> None:
    request = own_request(tmp_path / "raw", "one", "two", "three", force=True)
    fan(request, settings)
    before = parts(settings)
    with (tmp_path / "raw/two.jsonl").open("a") as file:
        file.write('{"q": "And now?", "a": "More."}\n')
    result = fan(request, settings)
    after = parts(settings)
    assert result.statistics["records"] == 61
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) + 1
    assert corpus(settings.data_dir) == at_once(request, tmp_path / "once")


def test_what_a_source_is_read_as_is_part_of_its_parts_names(
    tmp_path: Path, settings: Settings
) -> None:
    request = own_request(tmp_path / "raw", "own", force=True)
    fan(request, settings)
    own_source(tmp_path / "raw", "own", "own.jsonl", tags=["new"])
    fan(request, settings)
    assert len(parts(settings)) == 2
    assert corpus(settings.data_dir) == at_once(request, tmp_path / "once")


def test_parts_that_are_gone_at_the_end_are_made_again(settings: Settings) -> None:
    request = MergeRequest(sample=True, force=True)
    found_by_name = outcomes(request, settings)
    end(request, found_by_name, settings)
    files = corpus(settings.data_dir)
    gone = sorted(path.parent for path in (settings.data_dir / "parts").glob("*/part.arrow"))[::2]
    for folder in gone:
        shutil.rmtree(folder)
    # Without the word it would be found that nothing has changed.
    end(request.model_copy(update={"rehash": True}), found_by_name, settings)
    assert corpus(settings.data_dir) == files
    assert all(folder.is_dir() for folder in gone)


# Files that change


def test_a_file_that_changes_between_the_steps_is_told(tmp_path: Path, settings: Settings) -> None:
    request = own_request(tmp_path / "raw", "own")
    found = find(request, "own", settings)
    raw = tmp_path / "raw/own.jsonl"
    raw.write_bytes(raw.read_bytes().replace(b"Yes", b"Nay"))
    os.utime(raw, ns=(1, found.stamps[0] + 1))
    with pytest.raises(WrongBytesError, match="changed while it was merged") as caught:
        make(request, found, settings)
    assert (caught.value.source, caught.value.file) == ("own", "own.jsonl")
    assert parts(settings) == {}


def test_a_file_that_was_only_touched_is_read(tmp_path: Path, settings: Settings) -> None:
    request = own_request(tmp_path / "raw", "own")
    found = find(request, "own", settings)
    os.utime(tmp_path / "raw/own.jsonl", ns=(1, 1))
    make(request, found, settings)
    assert len(parts(settings)) == 1


def test_a_file_that_is_written_to_while_it_is_read_gives_no_part(
    tmp_path: Path, settings: Settings
) -> None:
    request = own_request(tmp_path / "raw", "own", rows=3000)
    found = find(request, "own", settings)

    def write(progress: Progress) -> None:
        if progress.stage == "read" and progress.rows == 100:
            with (tmp_path / "raw/own.jsonl").open("a") as file:
                file.write('{"q": "late", "a": "late"}\n')

    with pytest.raises(WrongBytesError, match="changed while it was merged"):
        make(request, found, settings, write)
    assert parts(settings) == {}


@pytest.mark.parametrize("change", ["added", "removed"])
def test_files_that_come_and_go_in_a_folder(
    change: str, tmp_path: Path, settings: Settings
) -> None:
    """Of a source that takes all files of its folder."""
    request = own_request(tmp_path / "raw", "own")
    catalog = tmp_path / "raw/own.toml"
    entry = catalog.read_text().replace('[[source.files]]\npath = "own.jsonl"\n', "")
    catalog.write_text(entry.replace('path = "."', f'path = "{tmp_path / "raw"}"'))
    found = find(request, "own", settings)
    other = tmp_path / "raw/a.jsonl"
    if change == "added":
        other.write_text('{"q": "first?", "a": "no"}\n')
        make(request, found, settings)
        assert end(request, {"own": found}, settings).statistics["records"] == 20
    else:
        (tmp_path / "raw/own.jsonl").rename(other)
        with pytest.raises(WrongBytesError, match="changed while it was merged"):
            make(request, found, settings)


# Hosts


@pytest.fixture
def hub(hub: HubServer) -> HubServer:
    """The hub with the sample's repositories."""
    shutil.copytree(SAMPLE / "datasets", hub.root / "datasets")
    return hub


def test_each_step_may_be_taken_on_a_host_with_a_cache_of_its_own(
    hub: HubServer, tmp_path: Path, settings: Settings
) -> None:
    def host(name: str) -> Settings:
        return settings.model_copy(update={"cache_dir": tmp_path / name})

    request = MergeRequest(sources=("TRACE", "Psych-101"))
    found_by_name: dict[str, SourceFiles | MindcorpusError | None] = {}
    for name in ("TRACE", "Psych-101"):
        found = find(request, name, host("finder"))
        found_by_name[name] = found
        make(request, found, host(f"maker of {name}"))
        assert (tmp_path / f"maker of {name}").is_dir()
    asked = len(hub.requests)
    end(request, found_by_name, host("last"))
    assert len(hub.requests) == asked
    assert not (tmp_path / "last").exists()
    locked = SourcesLock.read(settings.data_dir / "sources.lock").sources
    assert set(locked) == {"TRACE", "Psych-101"}
    once = settings.model_copy(update={"data_dir": tmp_path / "once"})
    merge(request, once)
    assert corpus(settings.data_dir) == corpus(once.data_dir)


def test_a_later_commit_does_not_get_into_the_parts(
    hub: HubServer, tmp_path: Path, settings: Settings
) -> None:
    request = MergeRequest(sources=("mental_health_counseling_conversations",))
    (name,) = request.sources or ()
    found = find(request, name, settings)
    path = hub.root / "datasets" / HOMES[name] / "combined_dataset.json"
    before = path.read_bytes()
    path.write_bytes(before + b'\n{"Context": "Something new?", "Response": "Yes."}\n')
    # The cache has what was found, another host cannot have it any more: it must not take the new.
    make(request, found, settings)
    files = [part.name for part in (settings.data_dir / "parts").iterdir()]
    shutil.rmtree(settings.data_dir / "parts")
    with pytest.raises(FetchError):
        make(request, found, settings.model_copy(update={"cache_dir": tmp_path / "other"}))
    assert files


# Sources that fail or are absent


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("")])
def test_a_merge_without_what_failed_is_the_same(
    spoil: Callable[[Path], object], tmp_path: Path, settings: Settings
) -> None:
    request = own_request(tmp_path / "raw", "one", "two")
    spoil(tmp_path / "raw/one.jsonl")
    found_by_name = outcomes(request, settings)
    assert isinstance(found_by_name["one"], MindcorpusError)
    with pytest.raises(type(found_by_name["one"])) as caught:
        end(request, found_by_name, settings)
    assert caught.value.source == "one"
    assert not Store(settings.data_dir).corpus_exists()
    allowed = request.model_copy(update={"allow_missing": True})
    result = end(allowed, outcomes(allowed, settings), settings)
    assert [missing["source"] for missing in result.missing] == ["one"]
    assert corpus(settings.data_dir) == at_once(allowed, tmp_path / "once")


def test_a_source_of_which_nothing_is_kept_fails_at_the_end(
    tmp_path: Path, settings: Settings
) -> None:
    request = own_request(tmp_path / "raw", "one", "two", allow_missing=True)
    (tmp_path / "raw/one.jsonl").write_text('{"q": "", "a": ""}\n')
    result = fan(request, settings)
    assert [missing["source"] for missing in result.missing] == ["one"]
    assert corpus(settings.data_dir) == at_once(request, tmp_path / "once")
    with pytest.raises(DataError, match="none of its 1 rows"):
        fan(request.model_copy(update={"allow_missing": False, "force": True}), settings)


def test_a_source_that_nobody_gave_is_absent(tmp_path: Path, settings: Settings) -> None:
    paths = {"TRACE": str(SAMPLE / "datasets" / HOMES["TRACE"])}
    request = MergeRequest(sources=("TRACE", "RedditESS"), paths=paths)
    assert find_files(request, "RedditESS", settings, silent, Cancellation()) is None
    assert fan(request, settings).manifest["absent"] == ["RedditESS"]
    assert corpus(settings.data_dir) == at_once(request, tmp_path / "once")


def test_errors_of_a_source_name_it(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    impatient = settings.model_copy(update={"fetch_tries": 1})
    with pytest.raises(HubUnavailableError) as unreachable:
        find_files(MergeRequest(), "TRACE", impatient, silent, Cancellation())
    assert unreachable.value.source == "TRACE"
    request = own_request(tmp_path / "raw", "own")
    (tmp_path / "raw/own.json").write_text('[{"q": "a", "a": "b"}, {"q"')
    own_source(tmp_path / "raw", "own", "own.json")
    with pytest.raises(DataError) as broken:
        make(request, find(request, "own", settings), settings)
    assert (broken.value.source, broken.value.row) == ("own", 1)


# Progress, cancelling, publishing


def test_progress_adds_up_to_the_file_whether_or_not_parts_were_there(
    tmp_path: Path, settings: Settings
) -> None:
    request = own_request(tmp_path / "raw", "own", rows=500)
    found = find(request, "own", settings)
    for _ in range(2):
        reports: list[Progress] = []
        make(request, found, settings, reports.append)
        reading = [progress for progress in reports if progress.stage == "read"]
        assert (reading[-1].rows, reading[-1].done) == (500, found.size)
        assert {progress.total for progress in reading} == {found.size}
        assert [each.rows for each in reading] == sorted(each.rows for each in reading)


@pytest.mark.parametrize("stage", ["fetch", "read", "deduplicate", "write", "publish"])
def test_every_step_can_be_cancelled(stage: str, settings: Settings) -> None:
    request = MergeRequest(sample=True, sources=("TRACE",))
    cancel = Cancellation()

    def report(progress: Progress) -> None:
        if progress.stage == stage:
            cancel.cancel()

    def all_steps() -> None:
        found = find_files(request, "TRACE", settings, report, cancel)
        assert found is not None
        make_parts(request, found, found.shards, settings, report, cancel)
        cancel.check()
        merge_parts(request, {"TRACE": found}, settings, report, cancel)

    with pytest.raises(CancelledError):
        all_steps()
    assert not Store(settings.data_dir).corpus_exists()
    staging = settings.data_dir / "staging"
    assert not staging.exists() or list(staging.iterdir()) == []


def test_a_publisher_that_comes_again_is_told_what_it_published(settings: Settings) -> None:
    request = MergeRequest(sample=True, sources=("TRACE",))
    found_by_name = outcomes(request, settings)
    first = end(request, found_by_name, settings, Publisher("job", 1))
    where = Store(settings.data_dir).folder("corpus")
    again = end(request, found_by_name, settings, Publisher("job", 2))
    assert Store(settings.data_dir).folder("corpus") == where
    assert again == first
    with pytest.raises(ExistsError):
        end(request, found_by_name, settings, Publisher("other", 3))
    with pytest.raises(ExistsError):
        end(request, found_by_name, settings)
