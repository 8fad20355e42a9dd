"""Readers and preparers beside merges that publish: never half of anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from corpora import NAME, damage_in, merge_sample
from sample_numbers import OUTCOMES

from mindcorpus.corpus.parquet import ParquetFile
from mindcorpus.errors import CorruptArtifactError, MindcorpusError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import prepare
from mindcorpus.remedies import Remake
from mindcorpus.settings import Settings
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.storage.store import Store


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    merge_sample(tmp_path, sources=("TRACE",))
    return tmp_path


@contextmanager
def meanwhile(*looks: Callable[[], str]) -> Iterator[list[str]]:
    """Take looks over and over, each in a thread of its own; give what they found wrong."""
    stop, wrong = threading.Event(), list[str]()

    def go_on(look: Callable[[], str]) -> None:
        while not stop.wait(0.001):
            try:
                if found := look():
                    wrong.append(found)
            except Exception as error:  # noqa: BLE001 - told by the test
                wrong.append(repr(error))

    threads = [threading.Thread(target=go_on, args=(look,)) for look in looks]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def replace_again_and_again(data_dir: Path, times: int) -> None:
    for number in range(times):
        source = ("Psych-101", "TRACE")[number % 2]
        options = {"Psych-101.max_chars": str(4000 + number)}  # never the same corpus again
        merge_sample(data_dir, sources=(source,), options=options, force=True)


def test_who_resolved_the_folder_sees_all_of_one_corpus_or_none(data_dir: Path) -> None:
    store, whole = Store(data_dir), []

    def look() -> str:
        folder = store.folder("corpus")
        try:
            outputs = read_manifest(folder)["outputs"]
            sizes = [(folder / output["path"]).stat().st_size for output in outputs]
        except (FileNotFoundError, CorruptArtifactError):
            return f"{folder} lacks something" if folder.exists() else ""
        whole.append(folder)
        return "" if sizes == [output["bytes"] for output in outputs] else f"{folder} is torn"

    with meanwhile(look) as wrong:
        replace_again_and_again(data_dir, 12)
    assert wrong == []
    assert len(whole) > 20


def test_who_opens_the_known_path_reads_one_whole_file(data_dir: Path) -> None:
    def look() -> str:
        records = json.loads((data_dir / f"{NAME}.json").read_bytes())
        return "" if len({record["source"] for record in records}) == 1 else "a mixture"

    with meanwhile(look) as wrong:
        replace_again_and_again(data_dir, 12)
    assert wrong == []


def test_who_asks_the_store_is_answered(data_dir: Path) -> None:
    store = Store(data_dir)
    # Sessions that differ in nothing but what is cut off are twins, or not.
    psych = OUTCOMES["Psych-101"]
    known = {OUTCOMES["TRACE"].kept, psych.kept, psych.kept + sum(psych.duplicates.values())}

    def look() -> str:
        rows = store.status()["corpus"]["rows"], store.manifest("corpus")["rows"]
        return "" if store.corpus_exists() and {*rows} <= known else f"rows {rows}"

    with meanwhile(look) as wrong:
        replace_again_and_again(data_dir, 12)
    assert wrong == []


def test_a_prepare_beside_merges_ends_whole_or_with_an_error_of_ours(data_dir: Path) -> None:
    settings, ends = Settings(data_dir=data_dir, workers=1), []

    def look() -> str:
        try:
            prepare(PrepareRequest(force=True), settings)
        except MindcorpusError as error:
            ends.append(error.code)
            return "" if error.code == "artifact" else repr(error)
        ends.append("done")
        return ""

    with meanwhile(look) as wrong:
        replace_again_and_again(data_dir, 20)
    assert wrong == []
    assert "done" in ends
    assert damage_in(data_dir) == []


def test_a_damaged_file_is_told_in_the_words_of_no_face(tmp_path: Path) -> None:
    path = tmp_path / "damaged.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(CorruptArtifactError) as raised:
        ParquetFile(path)
    assert (raised.value.hint, raised.value.remedy) == ("", Remake())
