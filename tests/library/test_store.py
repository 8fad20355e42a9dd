"""Storage: published whole or not at all, nothing foreign touched, every damage found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import NAME, damage_in, digests, merge_sample, outdated_in, read_json
from registered import FORMATS
from sample_numbers import ANSWERED, KEPT, OUTCOMES

from mindcorpus.errors import (
    CancelledError,
    CorruptArtifactError,
    ExistsError,
    NoCorpusError,
    StorageError,
)
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import prepare
from mindcorpus.progress import Cancellation, Progress
from mindcorpus.settings import Settings
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

#: Of the sample: its corpus, its split, and the formats of `all`.
EXPECTED = {name: kind for name, kind in KINDS.items() if kind.expected or name == "split"}


def again(data_dir: Path) -> None:
    """Replace the corpus by a smaller one, and the formats by those of it."""
    merge_sample(data_dir, sources=("TRACE",), force=True)
    prepare(PrepareRequest(force=True), Settings(data_dir=data_dir, workers=1))


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# Publishing


def test_the_paths_users_know_lead_to_the_artifacts(sample: Made) -> None:
    for kind in EXPECTED.values():
        for name in kind.links:
            path = sample.data_dir / name
            assert path.is_symlink()
            assert not os.readlink(path).startswith("/")
            assert path.exists()
    visible = {name for kind in EXPECTED.values() for name in kind.links}
    assert entries(sample.data_dir) == {*visible, "artifacts", "parts", "staging"}
    assert entries(sample.data_dir / "staging") == set()
    assert len(entries(sample.data_dir / "artifacts") - {".pins"}) == 2 * len(EXPECTED)


def test_a_data_folder_may_be_moved(copied: Path, tmp_path: Path) -> None:
    moved = copied.rename(tmp_path / "moved")
    assert verify(moved) == []
    assert len(read_json(moved / f"{NAME}.json")) == KEPT


def test_replacing_keeps_one_build_a_kind_and_no_left_overs(copied: Path) -> None:
    held: list[dict[str, str]] = []
    for _ in range(3):
        before = {kind: os.readlink(copied / "artifacts" / kind) for kind in EXPECTED}
        held.append(digests(copied / "artifacts/corpus"))
        again(copied)
        if len(held) == 1:
            first = before
        now = {kind: os.readlink(copied / "artifacts" / kind) for kind in EXPECTED}
        links = {f".kept.{build}": build for build in first.values()}
        assert entries(copied / "artifacts") == {
            *(".pins", *EXPECTED, *links, *links.values(), *now.values())
        }
    # The same content once more took nobody's place: what was there before it is still kept.
    assert digests(copied / "artifacts" / first["corpus"]) == held[0]
    assert entries(copied / "staging") == set()
    assert verify(copied) == []
    assert {record["source"] for record in read_json(copied / f"{NAME}.json")} == {"TRACE"}


def test_the_same_corpus_once_more_is_published_too(copied: Path) -> None:
    held = digests(copied / "artifacts/corpus")
    (copied / f"{NAME}.csv").resolve().write_text("damaged")
    merge_sample(copied, force=True)
    assert digests(copied / "artifacts/corpus") == held
    merge_sample(copied, force=True)
    assert digests(copied / "artifacts/corpus") == held
    # What it replaced has the same content, or should have: it is not kept.
    assert len(entries(copied / "artifacts") - {".pins"}) == 2 * len(EXPECTED)


def test_nothing_is_replaced_without_force(copied: Path) -> None:
    held = digests(copied)
    with pytest.raises(ExistsError, match=f"{NAME}.json exists") as caught:
        merge_sample(copied)
    assert "force=True" in caught.value.advice
    settings = Settings(data_dir=copied, workers=1)
    for format_ in (*FORMATS, "all"):
        asked: dict[str, Any] = {"format": format_}
        with pytest.raises(ExistsError):
            prepare(PrepareRequest(**asked), settings)
    assert digests(copied) == held


def test_status_and_existence_are_those_of_the_manifests(sample: Made, tmp_path: Path) -> None:
    store, empty = Store(sample.data_dir), Store(tmp_path)
    status = store.status()
    assert {kind: entry["rows"] for kind, entry in status.items()} == {
        "corpus": KEPT,
        **dict.fromkeys(FORMATS, ANSWERED),
    }
    for kind, entry in status.items():
        found = digests(sample.data_dir / "artifacts" / kind)
        sizes = [(sample.data_dir / "artifacts" / kind / path).stat().st_size for path in found]
        manifest = (sample.data_dir / "artifacts" / kind / "manifest.json").stat().st_size
        assert entry["bytes"] == sum(sizes) - manifest
    assert store.prepared() == dict.fromkeys(FORMATS, True)
    assert store.corpus_exists()
    assert not empty.corpus_exists()
    assert empty.prepared() == dict.fromkeys(FORMATS, False)
    with pytest.raises(NoCorpusError, match="no merged corpus"):
        empty.folder("corpus")
    with pytest.raises(NoCorpusError):
        verify(tmp_path)


# What is not ours


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"{NAME}.json", "file"),
        (f"{NAME}.README.md", "file"),
        (f"{NAME}.parquet", "folder"),
        (f"{NAME}.csv", "link"),
        ("artifacts/corpus", "folder"),
    ],
)
def test_what_stands_in_the_way_is_refused_and_kept(
    name: str, kind: str, force: bool, tmp_path: Path
) -> None:
    path, mine = tmp_path / "data" / name, tmp_path / "mine.txt"
    path.parent.mkdir(parents=True)
    mine.write_text("mine")
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to(mine)
    else:
        path.mkdir()
        (path / "mine.txt").write_text("mine")
    with pytest.raises(ExistsError, match="not of mindcorpus' making"):
        merge_sample(tmp_path / "data", sources=("TRACE",), force=force)
    assert (path / "mine.txt" if kind == "folder" else path).read_text() == "mine"
    assert path.is_symlink() == (kind == "link")
    assert mine.read_text() == "mine"


def test_other_things_in_our_folders_are_left_alone(tmp_path: Path) -> None:
    kept = [
        "artifacts/another project/model.bin",
        "artifacts/notes.txt",
        "artifacts/corpus-of-mine/text.txt",
        "staging/of mine/text.txt",
        "staging/notes.txt",
        ".merged_notes",
        "notes.txt",
    ]
    for name in kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
    for _ in range(2):
        merge_sample(tmp_path, sources=("TRACE",), force=True)
    assert all((tmp_path / name).read_text() == "mine" for name in kept)


def test_a_file_where_a_folder_is_needed_is_a_storage_error(tmp_path: Path) -> None:
    for name in ("", "artifacts", "staging"):
        home = tmp_path / (name or "data")
        path = home / name if name else home
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
        with pytest.raises(StorageError) as caught:
            merge_sample(home, sources=("TRACE",))
        assert caught.value.advice
        assert path.read_text() == "mine"


# Left-overs


def test_the_next_run_sweeps_what_a_killed_one_left(copied: Path) -> None:
    left = [
        copied / "staging/corpus-0123456789ab/output",
        copied / "artifacts/corpus-0123456789abcdef",
        copied / "artifacts/openai-0123456789abcdef-01234567",
    ]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "part").write_text("half")
    foreign = copied / "artifacts/my-run-0123456789abcdef"
    foreign.mkdir()
    # Killed while a link was being made.
    (copied / "artifacts/.corpus.01234567").symlink_to("corpus-0123456789abcdef")
    (copied / f".{NAME}.json.01234567").symlink_to("nowhere")
    (copied / "artifacts/.kept.corpus-fedcba9876543210").symlink_to("corpus-fedcba9876543210")
    (copied / "artifacts/.pins/0123456789abcdef").write_text(
        '{"names": ["corpus-0123456789abcdef"]}'
    )
    kept = os.readlink(copied / "artifacts/corpus")
    merge_sample(copied, sources=("TRACE",), force=True)
    assert entries(copied / "staging") == set()
    assert entries(copied / "artifacts/.pins") == set()
    assert foreign.is_dir()
    found = entries(copied / "artifacts") - {".pins", foreign.name, kept, f".kept.{kept}"}
    assert len(found) == 2 * len(EXPECTED)
    assert not [name for name in entries(copied) if name.startswith(".")]
    assert damage_in(copied) == []
    assert outdated_in(copied) == [*FORMATS]


def test_what_looks_like_a_half_made_link_and_is_none_stays(copied: Path) -> None:
    (copied / ".notes.01234567").symlink_to("nowhere")
    (copied / f".{NAME}.json.012345678").symlink_to("nowhere")
    (copied / "artifacts/.corpus.01234567").write_text("mine")
    assert Store(copied).sweep()
    assert (copied / "artifacts/.corpus.01234567").read_text() == "mine"
    assert {name for name in entries(copied) if name.startswith(".")} == {
        ".notes.01234567",
        f".{NAME}.json.012345678",
    }


def test_the_work_of_another_run_is_not_swept(tmp_path: Path) -> None:
    one, two = Store(tmp_path), Store(tmp_path)
    with one.stage("corpus") as mine:
        (mine.output / "part").write_text("mine")
        with two.stage("formats") as theirs:
            assert (mine.output / "part").read_text() == "mine"
            assert theirs.root != mine.root
        assert not theirs.root.exists()
        merge_sample(tmp_path, sources=("TRACE",))
        assert (mine.output / "part").read_text() == "mine"
    assert entries(tmp_path / "staging") == set()


def test_a_lock_ends_though_a_child_process_holds_a_copy_of_it(tmp_path: Path) -> None:
    with Store(tmp_path).stage("corpus"):
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            os.close(write_end)
            os.read(read_end, 1)
            os._exit(0)
        os.close(read_end)
    try:
        (tmp_path / "staging/corpus-0123456789ab").mkdir()
        with Store(tmp_path).stage("corpus") as staging:
            assert entries(tmp_path / "staging") == {staging.root.name}
    finally:
        os.close(write_end)
        os.waitpid(child, 0)


def test_a_failure_while_staging_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with Store(tmp_path).stage("corpus") as staging:
            (staging.scratch / "part").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert entries(tmp_path / "staging") == set()
    assert entries(tmp_path / "artifacts") == set()


# Verifying


def corpus(data_dir: Path, name: str) -> Path:
    return data_dir / "artifacts/corpus" / name


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def edit(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    manifest = json.loads(path.read_text("utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("name", "damage", "problem"),
    [
        (f"{NAME}.json", flip, "has other bytes than the manifest says"),
        (f"{NAME}.csv", flip, "has other bytes than the manifest says"),
        (f"{NAME}.parquet/part-00001.parquet", flip, "has other bytes than the manifest says"),
        (f"{NAME}.lineage.parquet", flip, "has other bytes than the manifest says"),
        ("README.md", flip, "has other bytes than the manifest says"),
        (f"{NAME}.json", Path.unlink, "is missing"),
        (f"{NAME}.csv", lambda path: os.truncate(path, 100), "has 100 bytes, the manifest says"),
        (f"{NAME}.parquet/part-99999.parquet", Path.touch, "is not in the manifest"),
    ],
)
def test_each_kind_of_damage_is_found(
    name: str, damage: Callable[[Path], object], problem: str, copied: Path
) -> None:
    damage(corpus(copied, name))
    (found,) = verify(copied)
    assert (found["kind"], found["path"]) == ("corpus", name)
    assert found["problem"].startswith(problem)


def test_a_count_that_does_not_add_up_is_found(copied: Path) -> None:
    def lose_a_row(manifest: dict[str, object]) -> None:
        sources = manifest["sources"]
        assert isinstance(sources, list)
        sources[0]["kept"] -= 1

    edit(corpus(copied, "manifest.json"), lose_a_row)
    (found,) = damage_in(copied)
    name, outcome = next(iter(OUTCOMES.items()))
    told = f"{name}: {outcome.read} rows read, {outcome.read - 1} accounted for"
    assert found["problem"] == told


def test_damage_in_a_format_is_found(copied: Path) -> None:
    flip(copied / "mental_health_openai.jsonl")
    (copied / "mental_health_huggingface/train/state.json").unlink()
    found = {(problem["kind"], problem["path"]) for problem in verify(copied)}
    assert found == {("openai", "mental_health_openai.jsonl"), ("huggingface", "train/state.json")}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": 99}'])
def test_a_manifest_that_is_none_is_a_corrupt_artifact(text: str, copied: Path) -> None:
    corpus(copied, "manifest.json").write_text(text)
    for look in (verify, lambda folder: Store(folder).status()):
        with pytest.raises(CorruptArtifactError) as caught:
            look(copied)
        assert "--force" in caught.value.advice
    merge_sample(copied, force=True)
    assert verify(copied) == []


def test_a_corpus_without_manifest_is_none(copied: Path) -> None:
    corpus(copied, "manifest.json").unlink()
    assert not Store(copied).corpus_exists()
    merge_sample(copied)
    assert Store(copied).corpus_exists()


def test_verify_tells_progress_and_stops_when_asked(sample: Made) -> None:
    events: list[Progress] = []
    assert verify(sample.data_dir, events.append) == []
    for kind in EXPECTED:
        mine = [event for event in events if event.item == kind]
        assert [event.done for event in mine] == sorted(event.done for event in mine)
        assert mine[-1].done == mine[-1].total
        assert {event.stage for event in mine} == {"check"}
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(CancelledError):
        verify(sample.data_dir, cancel=cancel)


def test_an_artifact_that_was_lost_is_made_anew(copied: Path) -> None:
    shutil.rmtree(copied / "artifacts")
    assert not Store(copied).corpus_exists()
    merge_sample(copied)
    assert verify(copied) == []
