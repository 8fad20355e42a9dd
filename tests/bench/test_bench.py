"""The bench: its corpus is what it says it is, and the baselines run on it. Nothing is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import chats, formats, tiny
from bench.agreement import MERGED, Pairs, differences, read_pairs
from bench.generate import generate, parse_size
from bench.measure import Measured, RunFailedError, run
from bench.mindcorpus_job import source_folders
from bench.plain_copy import sizes
from bench.report import markdown
from mindcorpus import merge_all_datasets, prepared_datasets_exist
from mindcorpus.sources.catalog import load_catalog

ROOT = Path(__file__).parents[2]
SIZE = 2_000_000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "corpus"
    generate(folder, SIZE)
    return folder


@pytest.fixture(scope="module")
def by_pandas(corpus: Path) -> Path:
    out = corpus.parent / "pandas"
    python("bench.pandas_script", corpus, out)
    return out


def python(module: str, *arguments: object) -> None:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def contents(folder: Path) -> dict[Path, bytes]:
    return {name: (folder / name).read_bytes() for name in sizes(folder)}


def test_the_same_size_and_seed_give_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", SIZE)
    generate(tmp_path / "other", SIZE, seed=7)
    assert contents(tmp_path / "again") == contents(corpus)
    other = contents(tmp_path / "other")
    assert all(other[name] != content for name, content in contents(corpus).items())


def test_an_existing_folder_is_left_alone(corpus: Path) -> None:
    with pytest.raises(FileExistsError):
        generate(corpus, SIZE)


def test_the_layout_is_the_catalogues(corpus: Path) -> None:
    folders = source_folders(corpus)
    for source in load_catalog():
        assert folders[source.name].is_dir()
        for file in source.files:
            assert (folders[source.name] / file.path).is_file()


def test_psych_101_has_nearly_all_bytes_in_long_lines_that_end_with_marks(corpus: Path) -> None:
    path = corpus / "datasets/marcelbinz/Psych-101/prompts_training.jsonl"
    assert sum(sizes(corpus).values()) == pytest.approx(SIZE, rel=0.05)
    assert path.stat().st_size == pytest.approx(0.95 * SIZE, rel=0.05)
    lines = path.read_bytes().splitlines()
    assert all(9_000 < len(line) < 60_000 for line in lines)
    assert len(set(lines)) > 0.9 * len(lines)
    texts = [json.loads(line)["text"] for line in lines]
    assert sum(text.count("<<", len(text) - 2000) > 2 for text in texts) > 0.9 * len(texts)


def test_half_the_bytes_stand_in_texts_with_some_characters_beyond_ascii(corpus: Path) -> None:
    path = corpus / "datasets/marcelbinz/Psych-101/prompts_training.jsonl"
    texts = [json.loads(line)["text"] for line in path.read_bytes().splitlines()]
    beyond = [text for text in texts if not text.isascii()]
    assert sum(map(len, beyond)) == pytest.approx(sum(map(len, texts)) / 2, rel=0.2)
    # As people write: a sign now and then, and here and there a blank that does not break.
    signs = sum(character > "\x7f" for text in beyond for character in text)
    assert 0.001 < signs / sum(map(len, beyond)) < 0.02
    assert any("\u00a0" in text for text in beyond)


@pytest.mark.parametrize("size", ["20", "20 MB", "100KB", "11GB", "MB", "-2MB"])
def test_other_sizes_are_refused(size: str) -> None:
    with pytest.raises(Exception, match="is not a size"):
        parse_size(size)


def test_the_pandas_script_writes_every_format(by_pandas: Path) -> None:
    pairs = read_pairs(by_pandas)
    assert set(pairs.rows_by_source) == {source.name for source in load_catalog()}
    chats = (by_pandas / "mental_health_openai.jsonl").read_bytes().count(b"\n")
    assert chats == pairs.rows - pairs.rows_by_source["Depression-Reddit-Cleaned"]
    folder = by_pandas / "mental_health_huggingface"
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"train", "validation"}
    assert (folder / "dataset.csv").is_file()


def test_mindcorpus_merges_the_same_records(by_pandas: Path, corpus: Path, tmp_path: Path) -> None:
    python("bench.mindcorpus_job", corpus, tmp_path)
    assert differences(read_pairs(tmp_path), read_pairs(by_pandas)) == ""


def test_the_copy_writes_files_of_the_same_sizes(
    by_pandas: Path, corpus: Path, tmp_path: Path
) -> None:
    python("bench.plain_copy", corpus, tmp_path / "copy", "--like", by_pandas)
    assert sizes(tmp_path / "copy") == sizes(by_pandas)


def test_differences_are_told_by_counts(tmp_path: Path) -> None:
    rows = [{"input": "a", "response": "b", "source": "one"}]
    (tmp_path / MERGED).write_text(json.dumps(rows), encoding="utf-8")
    pairs = read_pairs(tmp_path)
    assert differences(pairs, pairs) == ""
    fewer = Pairs(0, {}, "")
    assert differences(pairs, fewer) == "1 and 0 records: one 1 and 0"
    other = Pairs(1, {"one": 1}, "")
    assert differences(pairs, other) == "both 1 records, but other texts"


def test_a_run_is_measured_with_its_children(tmp_path: Path) -> None:
    child = "import time; block = b'x' * 60_000_000; time.sleep(1)"
    parent = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    measured = run([sys.executable, "-c", parent], tmp_path, look=True)
    assert measured.peak > 60_000_000
    assert measured.wall > 1
    assert measured.cpu > 0


def test_a_failed_run_says_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(RunFailedError, match=r"(?s)exit code 3.*last words"):
        run(
            [sys.executable, "-c", "print('last words'); raise SystemExit(3)"], tmp_path, look=False
        )


def test_ratios_are_medians_over_the_rounds() -> None:
    def rounds(*walls: float) -> list[Measured]:
        return [Measured(wall, wall, 100, 50, "pss") for wall in walls]

    runs = {"mindcorpus": rounds(1, 2, 9), "pandas": rounds(10, 10, 10)}
    memory = {name: found[0] for name, found in runs.items()}
    table = markdown("20MB", {"read": 20_000_000, "written": 90_000_000}, runs, memory)
    assert "| mindcorpus / pandas | 0.200 | | | 1.000 | |" in table
    assert "| mindcorpus | 2.00 | 1.00 to 9.00 |" in table


@pytest.mark.parametrize(
    ("made_by", "job", "script"),
    [
        (tiny.generate, "bench.tiny_job", "bench.tiny_script"),
        (chats.generate, "bench.chat_job", "bench.chat_script"),
    ],
    ids=["tiny", "chats"],
)
def test_a_source_of_its_own_gives_the_same_records_as_its_script(
    made_by: Callable[[Path, int], int], job: str, script: str, tmp_path: Path
) -> None:
    size = made_by(tmp_path / "corpus", 1_000_000)
    assert size == pytest.approx(1_000_000, rel=0.1)
    text = next((tmp_path / "corpus").iterdir()).read_bytes()
    assert sum(not line.isascii() for line in text.splitlines()) / text.count(b"\n") > 0.3
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    python(job, tmp_path / "corpus", tmp_path / "ours")
    python(script, tmp_path / "corpus", tmp_path / "theirs")
    found = read_pairs(tmp_path / "ours")
    assert differences(found, read_pairs(tmp_path / "theirs")) == ""
    assert found.rows < text.count(b"\n")  # some are there twice


def test_tiny_rows_are_tiny(tmp_path: Path) -> None:
    tiny.generate(tmp_path / "corpus", 300_000)
    lines = (tmp_path / "corpus" / tiny.FILE).read_bytes().splitlines(keepends=True)
    assert sum(map(len, lines)) / len(lines) == pytest.approx(60, abs=10)


def test_five_formats_are_made_as_two_are(corpus: Path, tmp_path: Path) -> None:
    merge_all_datasets(tmp_path, paths=source_folders(corpus))
    python("bench.formats", "--out", tmp_path, "--make", *formats.CONTESTANTS["five"])
    assert all(prepared_datasets_exist(tmp_path)[name] for name in formats.CONTESTANTS["five"])
    runs = {
        name: [Measured(wall, 2.0, 6, 3, "pss")] for name, wall in (("five", 3.0), ("two", 2.0))
    }
    table = formats.markdown("2MB", runs, {name: run for name, (run,) in runs.items()})
    assert "| five | 3.00 | 3.00 to 3.00 | 2.00 | 0 | 0 |" in table
    assert "| five / two | 1.500 | | 1.000 | 1.000 | |" in table
