"""A merge reads what changed, and nothing else; what is kept may be damaged, and may go."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from command_line import MAIN, run
from corpora import digests, nothing_left, own_rows, python

from mindcorpus.errors import DataError, MindcorpusError, WrongBytesError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.progress import Cancellation, Progress
from mindcorpus.settings import Settings
from mindcorpus.sources.checksums import Seen, Stamp
from mindcorpus.storage.sealed import seal, unseal
from mindcorpus.storage.space import make_room
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

SOURCES = ("one", "two", "three")
ROWS = 20
#: Long ago, in nanoseconds: a file of this very moment may be written to once more unseen.
OLD = 1_700_000_000_000_000_000


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder with three sources of a file each, none written to of late."""
    folder = tmp_path / "raw"
    for name in SOURCES:
        own_rows(folder, name, rows(name))
        age(folder / f"{name}.jsonl")
    return folder


@pytest.fixture
def data_dir(raw: Path, tmp_path: Path) -> Path:
    """A data folder with the corpus of the three."""
    first = Merge(tmp_path / "data", raw)
    assert first.rows == ROWS * 3
    assert first.result.parts == {"reused": 0, "made": 3, "damaged": 0}
    return tmp_path / "data"


def rows(name: str, count: int = ROWS) -> list[dict[str, str]]:
    return [{"q": f"{name} asks {n}?", "a": f"Yes, {n}."} for n in range(count)]


def age(path: Path) -> None:
    os.utime(path, ns=(OLD, OLD))


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write('{"q": "And now?", "a": "More."}\n')


class Merge:
    """A merge of the three sources, and which rows and files it read."""

    def __init__(
        self,
        data_dir: Path,
        raw: Path,
        report: Callable[[Progress], None] | None = None,
        settings: Mapping[str, Any] | None = None,
        **request: Any,
    ) -> None:
        self.rows = 0
        self.items: set[str] = set()
        asked = {"sources": SOURCES, "force": True, **request}
        asked["catalogs"] = tuple(str(raw / f"{name}.toml") for name in asked["sources"])

        def heard(progress: Progress) -> None:
            if progress.stage == "read" and progress.rows:
                self.rows = progress.rows
                self.items.add(progress.item)
            if report is not None:
                report(progress)

        _opened.clear()
        given = Settings(data_dir=data_dir, **{"workers": 1, **(settings or {})})
        try:
            self.result: MergeResult = merge(MergeRequest(**asked), given, heard)
        finally:
            self.opened = {Path(path).name for path in _opened if Path(path).parent == raw}


_opened: list[str] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | Path):
        _opened.append(os.fspath(arguments[0]))


sys.addaudithook(_hear)


def parts(data_dir: Path) -> list[Path]:
    """Give the folders of the parts, in the order of their sources' texts."""
    return sorted(
        (path.parent for path in (data_dir / "parts").glob("*/part.json")),
        key=lambda folder: (folder / "part.arrow").read_bytes(),
    )


def made_by_recipe(data_dir: Path) -> bool:
    """Whether it is remembered of any recipe which corpus was made by it."""
    facts = (path.read_bytes() for path in (data_dir / "parts").glob("*/facts.json"))
    return any("build" in unseal(content) for content in facts)


def corpus(data_dir: Path) -> dict[str, str]:
    return digests(data_dir / "artifacts/corpus")


def anew(raw: Path, folder: Path, workers: int = 2, **request: Any) -> dict[str, str]:
    """Give the corpus that a merge makes with nothing kept."""
    Merge(folder, raw, settings={"workers": workers}, **request)
    return corpus(folder)


# What is read


def test_nothing_is_opened_and_nothing_written_where_nothing_changed(
    raw: Path, data_dir: Path
) -> None:
    build = os.readlink(data_dir / "artifacts/corpus")
    before = digests(data_dir)
    again = Merge(data_dir, raw)
    assert (again.rows, again.opened & {f"{name}.jsonl" for name in SOURCES}) == (0, set())
    assert again.result.unchanged
    assert again.result.parts == {"reused": 3, "made": 0, "damaged": 0}
    assert again.result.statistics["records"] == ROWS * 3
    assert os.readlink(data_dir / "artifacts/corpus") == build
    assert digests(data_dir) == before
    nothing_left(data_dir)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_source_that_changed_is_read_alone(
    workers: int, raw: Path, data_dir: Path, tmp_path: Path
) -> None:
    append(raw / "two.jsonl")
    again = Merge(data_dir, raw, settings={"workers": workers})
    assert (again.rows, again.items) == (ROWS + 1, {"two"})
    assert "one.jsonl" not in again.opened
    assert not again.result.unchanged
    assert again.result.parts == {"reused": 2, "made": 1, "damaged": 0}
    assert again.result.statistics["records"] == ROWS * 3 + 1
    assert verify(data_dir) == []
    assert corpus(data_dir) == anew(raw, tmp_path / "anew", 3 - workers)
    nothing_left(data_dir)


def test_another_choice_of_sources_reads_none_that_was_read(
    raw: Path, data_dir: Path, tmp_path: Path
) -> None:
    fewer = Merge(data_dir, raw, sources=("one", "three"))
    assert (fewer.rows, fewer.result.unchanged) == (0, False)
    assert fewer.result.parts == {"reused": 2, "made": 0, "damaged": 0}
    assert corpus(data_dir) == anew(raw, tmp_path / "anew", sources=("one", "three"))


def test_a_file_that_was_only_touched_is_hashed_and_not_read(raw: Path, data_dir: Path) -> None:
    os.utime(raw / "two.jsonl", ns=(OLD + 1, OLD + 1))
    again = Merge(data_dir, raw)
    assert (again.rows, again.result.unchanged) == (0, True)
    assert "two.jsonl" in again.opened
    assert "one.jsonl" not in again.opened
    # It is known as it is now.
    assert "two.jsonl" not in Merge(data_dir, raw).opened


def test_another_file_of_the_same_size_and_time_is_read(
    raw: Path, data_dir: Path, tmp_path: Path
) -> None:
    path = raw / "two.jsonl"
    (raw / "new").write_bytes(path.read_bytes().replace(b"Yes", b"Nay"))
    age(raw / "new")
    assert (raw / "new").stat().st_size == path.stat().st_size
    (raw / "new").replace(path)
    again = Merge(data_dir, raw)
    assert (again.rows, again.items) == (ROWS, {"two"})
    assert corpus(data_dir) == anew(raw, tmp_path / "anew")


def test_a_file_that_was_written_to_in_place_with_its_time_set_back_is_read(
    raw: Path, data_dir: Path
) -> None:
    path = raw / "two.jsonl"
    inode = path.stat().st_ino
    path.write_bytes(path.read_bytes().replace(b"Yes", b"Nay"))
    age(path)
    assert path.stat().st_ino == inode
    assert Merge(data_dir, raw).items == {"two"}


def test_a_file_whose_time_is_not_past_is_hashed_each_time(raw: Path, tmp_path: Path) -> None:
    soon = time.time() + 3600
    os.utime(raw / "two.jsonl", (soon, soon))
    Merge(tmp_path / "data", raw)
    again = Merge(tmp_path / "data", raw)
    assert (again.rows, again.result.unchanged) == (0, True)
    assert {"two.jsonl"} == again.opened & {f"{name}.jsonl" for name in SOURCES}


@pytest.mark.parametrize(
    ("fraction", "later", "steady"),
    [
        (123_456_789, 0.05, False),
        (123_456_789, 0.5, True),
        # Times in whole milliseconds: it may count in steps of seconds.
        (120_000_000, 0.5, False),
        (120_000_000, 3, True),
        (0, 1.9, False),
    ],
)
def test_a_stamp_counts_once_the_next_byte_must_change_it(
    fraction: int, later: float, steady: bool
) -> None:
    at = OLD + fraction
    assert Seen(Stamp(1, at, at, 1), at + int(later * 1e9)).is_steady is steady


def test_rehash_reads_what_seems_the_same_and_writes_the_corpus_anew(
    raw: Path, data_dir: Path, tmp_path: Path
) -> None:
    build = os.readlink(data_dir / "artifacts/corpus")
    again = Merge(data_dir, raw, rehash=True)
    assert {f"{name}.jsonl" for name in SOURCES} <= again.opened
    assert (again.rows, again.result.unchanged) == (0, False)
    assert again.result.parts == {"reused": 3, "made": 0, "damaged": 0}
    assert os.readlink(data_dir / "artifacts/corpus") != build
    assert corpus(data_dir) == anew(raw, tmp_path / "anew")


def test_other_code_reads_all_anew(
    raw: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mindcorpus.merging.part_cache.__version__", "another")
    assert Merge(data_dir, raw).rows == ROWS * 3


def test_other_code_of_what_writes_writes_the_corpus_anew(
    raw: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mindcorpus.merging.recipe.package_digest", lambda _package: "another")
    again = Merge(data_dir, raw)
    assert (again.rows, again.result.unchanged) == (0, False)


def test_a_file_that_is_written_to_while_it_is_read_is_not_kept_as_what_it_was(
    raw: Path, tmp_path: Path
) -> None:
    own_rows(raw, "two", rows("two", 3000))
    age(raw / "two.jsonl")

    def write(progress: Progress) -> None:
        if progress.stage == "read" and progress.item == "two" and progress.rows:
            append(raw / "two.jsonl")

    Merge(tmp_path / "data", raw, write)
    assert len(parts(tmp_path / "data")) == 2
    assert not made_by_recipe(tmp_path / "data")
    again = Merge(tmp_path / "data", raw)
    assert again.items == {"two"}
    assert made_by_recipe(tmp_path / "data")
    assert corpus(tmp_path / "data") == anew(raw, tmp_path / "anew")


def test_a_file_that_was_known_and_changes_while_it_is_read_is_told(
    raw: Path, data_dir: Path
) -> None:
    shutil.rmtree(parts(data_dir)[2])
    before = corpus(data_dir)

    def write(progress: Progress) -> None:
        if progress.stage == "read" and progress.rows:
            append(raw / f"{progress.item}.jsonl")

    with pytest.raises(WrongBytesError, match="changed while it was merged"):
        Merge(data_dir, raw, write, rehash=True)
    assert corpus(data_dir) == before
    assert len(parts(data_dir)) == 2


def test_what_was_read_is_kept_where_another_source_fails(raw: Path, tmp_path: Path) -> None:
    whole = (raw / "two.jsonl").read_bytes()
    (raw / "two.jsonl").write_bytes(b"\0" * 4096)
    with pytest.raises(DataError):
        Merge(tmp_path / "data", raw)
    nothing_left(tmp_path / "data")
    (raw / "two.jsonl").write_bytes(whole)
    again = Merge(tmp_path / "data", raw)
    assert again.items == {"two"}
    assert again.result.parts == {"reused": 2, "made": 1, "damaged": 0}


def test_one_that_was_published_without_a_source_is_no_corpus_of_all(
    raw: Path, tmp_path: Path
) -> None:
    (raw / "two.jsonl").rename(raw / "away")
    for _ in range(2):
        assert not Merge(tmp_path / "data", raw, allow_missing=True).result.unchanged
    (raw / "away").rename(raw / "two.jsonl")
    assert Merge(tmp_path / "data", raw).result.statistics["records"] == ROWS * 3


# What is there


@pytest.mark.parametrize(
    "damage", ["written to", "removed", "shorter", "more", "no link", "rolled"]
)
def test_a_corpus_that_is_not_as_it_was_published_is_made_anew(
    damage: str, raw: Path, data_dir: Path
) -> None:
    before = corpus(data_dir)
    path = (data_dir / "merged_mental_health_dataset.csv").resolve()
    status = path.stat()
    if damage == "written to":  # the same size and time
        path.write_bytes(path.read_bytes().replace(b"Yes", b"Nay"))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif damage == "removed":
        path.unlink()
    elif damage == "shorter":
        os.truncate(path, 100)
    elif damage == "more":
        (path.parent / "notes.txt").write_text("mine")
    elif damage == "no link":
        (data_dir / "merged_mental_health_dataset.csv").unlink()
    else:
        Merge(data_dir, raw, sources=("one",))
    again = Merge(data_dir, raw)
    assert (again.rows, again.result.unchanged) == (0, False)
    assert corpus(data_dir) == before
    assert verify(data_dir) == []
    assert Merge(data_dir, raw).result.unchanged


def test_what_shapes_a_corpus_makes_it_anew(raw: Path, data_dir: Path) -> None:
    for name in SOURCES:
        catalog = raw / f"{name}.toml"
        catalog.write_text(catalog.read_text().replace('terms = "None."', 'terms = "Some."'))
    again = Merge(data_dir, raw)
    assert (again.rows, again.result.unchanged) == (0, False)
    assert again.result.manifest["sources"][0]["licence"]["terms"] == "Some."
    assert not Merge(data_dir, raw, allow_loss={"one": 0.5}).result.unchanged


def test_without_force_it_is_refused_as_ever(raw: Path, data_dir: Path) -> None:
    with pytest.raises(MindcorpusError, match="exists") as caught:
        Merge(data_dir, raw, force=False)
    assert caught.value.code == "already-exists"


# Damage


def _shorter(folder: Path) -> None:
    os.truncate(folder / "part.arrow", (folder / "part.arrow").stat().st_size - 8)


def _flipped(name: str) -> Callable[[Path], None]:
    def flip(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    flip.__name__ = f"a bit of {name}"
    return flip


def _gone(name: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        (folder / name).unlink()

    remove.__name__ = f"without {name}"
    return remove


def _other_counts(folder: Path) -> None:
    told = (folder / "part.json").read_bytes()
    (folder / "part.json").write_bytes(told.replace(b'"rows": 20', b'"rows": 21'))


DAMAGES = [
    _shorter,
    _flipped("part.arrow"),
    _flipped("part.index.parquet"),
    _flipped("part.json"),
    _gone("part.arrow"),
    _gone("part.json"),
    _other_counts,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_part_is_made_anew_and_counted(
    damage: Callable[[Path], None], raw: Path, data_dir: Path, tmp_path: Path
) -> None:
    files = corpus(data_dir)
    damage(parts(data_dir)[1])
    again = Merge(data_dir, raw, rehash=True)
    assert again.rows == ROWS
    assert again.result.parts == {"reused": 2, "made": 1, "damaged": 1}
    assert corpus(data_dir) == files
    # The one that was made took its place.
    third = Merge(data_dir, raw, rehash=True)
    assert third.result.parts == {"reused": 3, "made": 0, "damaged": 0}
    nothing_left(data_dir)


def test_a_damaged_part_is_told_by_the_command(raw: Path, data_dir: Path) -> None:
    _shorter(parts(data_dir)[0])
    append(raw / "two.jsonl")
    words = ["merge", "--force", "--data-dir", data_dir]
    for name in SOURCES:
        words += ["--source", name, "--catalog", raw / f"{name}.toml"]
    done = run(*words, cwd=raw, start=MAIN)
    assert done.code == 0, done.err
    made = "2 made" if "Parts of sources: 1 re-used" in done.out else "1 made"
    assert f"{made}, 1 of them for one that was damaged." in done.out
    again = run(*words, cwd=raw, start=MAIN)
    assert "Nothing has changed: the corpus stays as it is" in again.out
    rehashed = run(*words, "--rehash", cwd=raw, start=MAIN)
    assert "Parts of sources: 3 re-used, 0 made." in rehashed.out


@pytest.mark.parametrize("kept", ["checksums.json", "facts.json"])
def test_whatever_else_is_damaged_costs_time_alone(
    kept: str, raw: Path, data_dir: Path, tmp_path: Path
) -> None:
    for path in (data_dir / "parts").rglob(kept):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    again = Merge(data_dir, raw)
    assert again.result.statistics["records"] == ROWS * 3
    assert corpus(data_dir) == anew(raw, tmp_path / "anew")
    assert Merge(data_dir, raw).result.unchanged


def test_what_is_sealed_is_found_whole_or_not_at_all() -> None:
    sealed = seal({"a": [1, None, "ä\n"]})
    assert unseal(sealed) == {"a": [1, None, "ä\n"]}
    for at in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[at] ^= 1
        for content in (bytes(damaged), sealed[:at]):
            with pytest.raises(ValueError, match="checksum"):
                unseal(content)


# Others at the same time


def test_two_merges_at_once_both_end_well(raw: Path, tmp_path: Path) -> None:
    barrier = threading.Barrier(2)
    results: list[MergeResult] = []

    def work() -> None:
        waited = False

        def wait(progress: Progress) -> None:
            nonlocal waited
            if progress.stage == "deduplicate" and not waited:
                waited = True
                barrier.wait(20)

        results.append(Merge(tmp_path / "data", raw, wait).result)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [result.parts["made"] for result in results] == [3, 3]
    assert verify(tmp_path / "data") == []
    assert len(parts(tmp_path / "data")) == 3
    assert Merge(tmp_path / "data", raw).result.unchanged
    nothing_left(tmp_path / "data")


def test_cleaning_takes_no_part_that_a_merge_uses(
    raw: Path, data_dir: Path, tmp_path: Path
) -> None:
    append(raw / "two.jsonl")
    store = Store(data_dir, disk_share=0)
    used: list[int] = []

    def clean(progress: Progress) -> None:
        if progress.stage == "deduplicate" and not used:
            make_room(store, 1 << 62)
            used.append(len(parts(data_dir)))

    Merge(data_dir, raw, clean)
    # The one of before, of the source that changed, is nobody's.
    assert used == [2]
    assert corpus(data_dir) == anew(raw, tmp_path / "anew")


def test_parts_go_when_they_are_unused_for_days_or_take_too_much(raw: Path, data_dir: Path) -> None:
    old = parts(data_dir)
    for folder in old:
        os.utime(folder, (OLD / 1e9, OLD / 1e9))
    told = run("clean", "--dry-run", "--json", "--data-dir", data_dir, cwd=raw, start=MAIN)
    assert {each["why"] for each in json.loads(told.out)["removed"]} == {"unused for 3 days"}
    Merge(data_dir, raw, sources=("one",))
    left = {path.name for path in parts(data_dir)}
    assert len(left & {path.name for path in old}) == 1
    Merge(data_dir, raw, settings={"disk_share": 0})
    assert parts(data_dir) == []
    nothing_left(data_dir)


# Dying

KILLED = """
import os, signal, sys
from pathlib import Path
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import merge
from mindcorpus.settings import Settings

data_dir, stage, number, *catalogs = sys.argv[1:]
left = int(number)

def hook(event, arguments):
    global left
    if event == "os.rename" and "/parts/" in str(arguments[1]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

def report(progress):
    if progress.stage == stage:
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
names = tuple(Path(each).stem for each in catalogs)
request = MergeRequest(sources=names, catalogs=tuple(catalogs), force=True)
merge(request, Settings(data_dir=data_dir, workers=1), report)
"""


@pytest.mark.parametrize(
    ("stage", "number"), [("read", 99), ("write", 99), *(("never", n) for n in range(7))]
)
def test_a_merge_that_is_killed_leaves_no_half_of_a_part(
    stage: str, number: int, raw: Path, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    catalogs = [raw / f"{name}.toml" for name in SOURCES]
    python(script, data_dir, stage, number, *catalogs).wait()
    kept = len(parts(data_dir)) if (data_dir / "parts").is_dir() else 0
    again = Merge(data_dir, raw, rehash=True)
    assert again.result.parts["damaged"] == 0
    assert again.result.parts["reused"] <= kept
    assert verify(data_dir) == []
    assert corpus(data_dir) == anew(raw, tmp_path / "anew")
    nothing_left(data_dir)


def test_a_merge_that_is_stopped_keeps_nothing_and_changes_nothing(
    raw: Path, data_dir: Path
) -> None:
    append(raw / "two.jsonl")
    cancel = Cancellation()
    before = digests(data_dir)

    def stop(progress: Progress) -> None:
        if progress.stage == "write":
            cancel.cancel()
            cancel.check()

    with pytest.raises(MindcorpusError):
        Merge(data_dir, raw, stop)
    assert digests(data_dir) == before


# Who may read


def test_what_is_kept_is_its_owner_s_alone(raw: Path, data_dir: Path) -> None:
    append(raw / "two.jsonl")
    Merge(data_dir, raw)
    found = [data_dir / "parts", *(data_dir / "parts").rglob("*")]
    assert len(found) > 12
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_where_parts_cannot_be_kept_a_merge_ends_well(raw: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "parts").write_text("in the way")
    for _ in range(2):
        again = Merge(data_dir, raw)
        assert (again.rows, again.result.unchanged) == (ROWS * 3, False)
    assert corpus(data_dir) == anew(raw, tmp_path / "anew")
    nothing_left(data_dir)
