"""No one call destroys: what was replaced is kept, can be brought back, and is checked before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command_line import run
from corpora import damage_in, digests, merge_sample, nothing_left, outdated_in
from registered import FORMATS

from mindcorpus import rollback
from mindcorpus.errors import CorruptArtifactError, NoBuildError, SettingsError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import merge
from mindcorpus.settings import Settings
from mindcorpus.storage.builds import kind_of_build
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)


def build_of(data_dir: Path, kind: str = "corpus") -> str:
    return os.readlink(data_dir / "artifacts" / kind)


def kept(data_dir: Path, kind: str = "corpus") -> list[str]:
    return [build["build"] for build in Store(data_dir).status()[kind]["kept"]]


def test_what_a_forced_sample_replaced_comes_back_byte_for_byte(copied: Path) -> None:
    folder = copied.parent
    whole, first = digests(copied / "artifacts/corpus"), build_of(copied)
    ran = run(
        "merge", "--sample", "--source", "TRACE", "--force", "--data-dir", copied.name, cwd=folder
    )
    assert ran.code == 0, ran.err
    second = build_of(copied)
    assert kept(copied) == [first]
    shown = run("status", "--data-dir", copied.name, cwd=folder).out
    assert first in shown
    ran = run("rollback", "--data-dir", copied.name, cwd=folder)
    assert ran.code == 0, ran.err
    assert f"is {first} again: 489 records. {second} is kept." in ran.out
    assert "Outdated" not in ran.out  # the formats were made of it
    assert digests(copied / "artifacts/corpus") == whole
    assert (build_of(copied), kept(copied)) == (first, [second])
    ran = run("rollback", second, "--json", "--data-dir", copied.name, cwd=folder)
    told = json.loads(ran.out)
    assert (told["kind"], told["build"], told["replaced"], told["rows"]) == (
        "corpus",
        second,
        first,
        44,
    )
    status = Store(copied).status()
    assert status["openai"]["outdated"] is True
    assert damage_in(copied) == []
    assert outdated_in(copied) == [*FORMATS]
    nothing_left(copied)


def test_a_build_that_is_not_there_or_damaged_is_refused_and_nothing_changes(copied: Path) -> None:
    first = build_of(copied)
    with pytest.raises(NoBuildError, match="no earlier build"):
        rollback(copied)
    with pytest.raises(SettingsError):
        rollback(copied, kind="nothing")
    merge_sample(copied, sources=("TRACE",), force=True)
    second = build_of(copied)
    for name in ("corpus-0123456789abcdef", "../corpus", "openai", ""):
        with pytest.raises(NoBuildError):
            rollback(copied, name)
    part = copied / "artifacts" / first / "merged_mental_health_dataset.csv"
    raw = bytearray(part.read_bytes())
    raw[100] ^= 1
    part.write_bytes(raw)
    with pytest.raises(CorruptArtifactError, match=r"damaged: merged_mental_health_dataset\.csv"):
        rollback(copied)
    (copied / "artifacts" / first / "manifest.json").write_text("{")
    with pytest.raises(CorruptArtifactError):
        rollback(copied)
    assert Store(copied).status()["corpus"]["kept"][0]["rows"] is None
    assert (build_of(copied), kept(copied)) == (second, [first])
    ran = run("rollback", "--data-dir", copied.name, cwd=copied.parent)
    assert ran.code == 6


@pytest.mark.parametrize("count", [0, 2])
def test_as_many_builds_stay_as_the_setting_says(count: int, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, workers=1, keep_builds=count)
    made = []
    for limit in range(4):
        request = MergeRequest.of(
            sample=True,
            sources=("Psych-101",),
            options={"Psych-101.max_chars": str(limit * 100)},
            force=True,
        )
        merge(request, settings)
        made.append(build_of(tmp_path))
    assert len({*made}) == 4
    assert kept(tmp_path) == made[:-1][::-1][:count]
    folders = {path.name for path in (tmp_path / "artifacts").iterdir() if kind_of_build(path.name)}
    assert folders == {*made[-1 - count :]}


def test_a_job_is_told_what_it_published_also_after_a_rollback(copied: Path) -> None:
    store = Store(copied, Publisher("a", 1))
    merge_sample(copied, sources=("TRACE",), force=True)
    with store.stage("corpus") as staging:
        for path in (copied / "artifacts/corpus").resolve().iterdir():
            if path.is_file():
                (staging.output / path.name).write_bytes(path.read_bytes())
        manifest = json.loads((staging.output / "manifest.json").read_text())
        parts = [each for each in manifest["outputs"] if "/" not in each["path"]]
        (staging.output / "manifest.json").write_text(json.dumps({**manifest, "outputs": parts}))
        store.publish("corpus", staging.output, staging, force=True)
    assert store.is_own("corpus")
    rollback(copied)
    assert not store.is_own("corpus")
    told = Store(copied, Publisher("a", 2)).published("corpus")
    assert told is not None
    assert told["outputs"] == parts


def test_a_corpus_of_another_name_has_a_home_of_its_own(sample: Made, tmp_path: Path) -> None:
    assert Store(tmp_path).data_dir == Store(tmp_path, corpus="default").data_dir == tmp_path
    other = Store(tmp_path, corpus="mine-2")
    assert other.data_dir == tmp_path / "corpora/mine-2"
    assert not other.corpus_exists()
    for name in ("", "Mine", "../x", "1a", "a" * 33, "a/b", "default\n"):
        with pytest.raises(SettingsError, match="no name of a corpus"):
            Store(tmp_path, corpus=name)
