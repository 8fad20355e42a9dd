"""Formats of lines: who numbers them, what they share, and what each of their files holds."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import copy_of, merge_own, own_rows, read_parquet

from mindcorpus.corpus import row_batch
from mindcorpus.corpus.row_batch import RowBatch
from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.errors import SettingsError
from mindcorpus.formats import registry as formats
from mindcorpus.formats.base import PAIRS, Made, Parts, Run, Section
from mindcorpus.formats.lines import Encoder, LineFile, LineFormat, Lines
from mindcorpus.formats.registry import FormatEntry
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing import runs
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.preparing.runs import Part, Pick, RunJob, write_run
from mindcorpus.records import COLUMNS
from mindcorpus.settings import Settings
from mindcorpus.storage.files import Written
from mindcorpus.verify import verify

ROWS = 60
PARTS = ("train", "validation")


class Numbered(Encoder):
    """Writes the number of each record with its input, and tells the numbers."""

    columns = ("input",)

    def __init__(self, mark: str = "") -> None:
        self._mark = mark
        self._told: list[int] = []

    def lines(self, table: Any, first: int) -> Iterable[bytes]:
        for place, text in enumerate(table.column("input").to_pylist(), first + 1):
            self._told.append(place)
            yield orjson.dumps([place, text, self._mark]) + b"\n"

    def result(self) -> list[int]:
        return self._told


class Sized(Numbered):
    """Knows its lines' sizes beforehand."""

    def lines(self, table: Any, first: int) -> Iterable[bytes]:
        del first
        for text in table.column("input").to_pylist():
            yield orjson.dumps([text]) + b"\n"

    def sizes(self, rows: RowFacts) -> Numbers:
        return rows.input_json + len(b"[]\n")


class Twice(Numbered):
    """Has two lines a record."""

    per_record = 2

    def lines(self, table: Any, first: int) -> Iterable[bytes]:
        for line in super().lines(table, first):
            yield line + line


class NumberedFormat(LineFormat):
    def lines(self) -> Sequence[Lines]:
        return [Lines(Numbered)]

    def describe(
        self,
        files: Sequence[LineFile],
        outputs: Sequence[Written],
        encoded: Sequence[Sequence[Any]],
    ) -> Made:
        del files
        assert all(each == encoded[0] for each in encoded)
        findings = [
            {"code": "numbered", "severity": "warning", "line": line, "reason": f"line {line}"}
            for run in encoded[0]
            for line in run
        ]
        return Made(outputs, findings=findings)


class Marked(NumberedFormat):
    def lines(self) -> Sequence[Lines]:
        return [Lines(Numbered, ("marked",))]


class SizedFormat(LineFormat):
    def lines(self) -> Sequence[Lines]:
        return [Lines(Sized)]


class TwiceFormat(LineFormat):
    def lines(self) -> Sequence[Lines]:
        return [Lines(Twice)]


class Arrays(LineFormat):
    """JSON arrays, beside a file of all parts, each in a folder."""

    def lines(self) -> Sequence[Lines]:
        return [Lines(Numbered)]

    def files(self) -> Sequence[LineFile]:
        (lines,) = self.lines()
        parts = [LineFile(f"data/{part}.json", lines, part, array=True) for part in self.parts]
        return [*parts, LineFile("data/all.json", lines, array=True)]

    def extras(self, files: Sequence[LineFile]) -> Mapping[str, str]:
        return {"files.json": json.dumps([file.name for file in files])}


class Nested(LineFormat):
    """Has the names of the files of `Arrays`, with lines of its own in them."""

    def lines(self) -> Sequence[Lines]:
        return [Lines(Numbered, ("nested",))]

    def files(self) -> Sequence[LineFile]:
        (lines,) = self.lines()
        return [LineFile(f"data/{part}.json", lines, part) for part in self.parts]


class Both(LineFormat):
    """Has answers and pairs."""

    sections = (Section("sft"), Section("dpo", "pairs"))

    def lines(self) -> Sequence[Lines]:
        return [Lines(Numbered, (), "sft"), Lines(Numbered, (), "dpo")]


class PairsFormat(LineFormat):
    """Has pairs alone."""

    sections = (PAIRS,)

    def lines(self) -> Sequence[Lines]:
        return [Lines(Numbered)]


CLASSES: dict[str, type[LineFormat]] = {
    "numbered": NumberedFormat,
    "again": NumberedFormat,
    "marked": Marked,
    "sized": SizedFormat,
    "twice-a-record": TwiceFormat,
    "arrays": Arrays,
    "nested": Nested,
    "both": Both,
    "pairs": PairsFormat,
}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The formats above, each under its name; `one` is in a single file."""
    entries = []
    for name, class_ in {**CLASSES, "one": NumberedFormat}.items():
        module = ModuleType(f"{__name__}_{name}")
        monkeypatch.setattr(module, "FORMAT", class_, raising=False)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        suffix = ".jsonl" if name == "one" else ""
        entry = FormatEntry(
            name, name, "", f"test_{name}", "", suffix=suffix, module=module.__name__
        )
        formats.register(entry)
        entries.append(entry)
    yield
    for entry in entries:
        formats.remove(entry)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two parts; a third of the second has pairs."""
    folder = tmp_path_factory.mktemp("lines")
    files = [
        own_rows(
            folder,
            f"source-{at}",
            [
                {"q": f"ä {at} {n}", "a": f"answer {n}", "r": "no" if at and n % 3 == 0 else ""}
                for n in range(ROWS)
            ],
            options='rejected_response = "r"\n',
        )
        for at in range(2)
    ]
    merge_own(folder / "data", *files)
    return folder / "data"


@pytest.fixture
def data(corpus: Path, tmp_path: Path) -> Path:
    return copy_of(corpus, tmp_path / "data")


def make(data: Path, *names: str, workers: int = 1, **request: Any) -> dict[str, PrepareResult]:
    return prepare(
        PrepareRequest(formats=names, **request), Settings(data_dir=data, workers=workers)
    )


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def inputs(data: Path) -> list[str]:
    return [row["input"] for row in read_parquet(data / "merged_mental_health_dataset.parquet")]


def lineage(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "lineage.parquet").to_pylist()
    return rows


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("mix", [{}, {"source-1": 3.0}])
def test_records_are_numbered_over_all_runs_and_parts(
    workers: int, mix: dict[str, float], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_RUN_BYTES", 1)
    made = make(data, "numbered", "one", workers=workers, mix=mix)
    whole = lines(made["one"].path)
    assert [number for number, *_ in whole] == list(range(1, made["one"].rows + 1))
    parts = {part: lines(made["numbered"].path / f"{part}.jsonl") for part in PARTS}
    assert sorted(line for found in parts.values() for line in found) == whole
    for found in parts.values():
        assert found == sorted(found)
    counts = Counter(text for _, text, _ in whole)
    assert set(counts) == set(inputs(data))
    trained = {text for _, text, _ in parts["train"]}
    for text, count in counts.items():
        assert count == (3 if mix and text in trained and text.startswith("ä 1") else 1)
    assert list(dict.fromkeys(text for _, text, _ in whole)) == inputs(data)
    assert verify(data) == []


def test_a_finding_names_the_file_and_the_line_in_it(data: Path) -> None:
    made = make(data, "numbered", "one", mix={"source-0": 2.0})
    for result in made.values():
        assert len(result.findings) == result.rows
    for number, finding in enumerate(made["one"].findings, 1):
        assert (finding.line, finding.reason) == (number, f"line {number}")
    for number, finding in enumerate(made["numbered"].findings, 1):
        file, _, reason = finding.reason.partition(": ")
        assert reason == f"line {number}"
        assert finding.line is not None
        assert lines(made["numbered"].path / file)[finding.line - 1][0] == number


@pytest.mark.parametrize("name", ["numbered", "sized", "twice-a-record", "one", "arrays", "both"])
def test_each_line_is_traced_to_its_corpus_row(name: str, data: Path) -> None:
    result = make(data, name, mix={"source-1": 2.0}, folds=3)[name]
    folder = data / "artifacts" / name
    texts, traced = inputs(data), lineage(folder)
    expected: list[tuple[str, int, str]] = []
    for path in sorted(folder.rglob("*.json*")):
        if path.name in ("manifest.json", "croissant.json", "files.json"):
            continue
        file = path.relative_to(folder).as_posix()
        found = json.loads(path.read_text()) if path.suffix == ".json" else lines(path)
        expected += [(file, at, line[-2:][0]) for at, line in enumerate(found, 1)]
    told = [(row["file"], row["line"], texts[row["corpus_row"]]) for row in traced]
    assert sorted(told) == sorted(expected)
    split = pq.read_table(data / "merged_mental_health_dataset.split.parquet").to_pylist()
    for row in traced:
        assert row["source"] == f"source-{texts[row['corpus_row']].split()[1]}"
        assert {"part": row["part"], "fold": row["fold"]} == split[row["corpus_row"]]
        assert row["fold"] in range(3)
        named = [part for part in PARTS if part in row["file"]]
        assert named in ([], [row["part"]])
    assert result.rows > len(texts)


def test_equal_lines_are_written_once(data: Path) -> None:
    made = make(data, "numbered", "again", "marked")
    for part in PARTS:
        places = {name: (result.path / f"{part}.jsonl").stat() for name, result in made.items()}
        assert places["numbered"].st_ino == places["again"].st_ino
        assert places["marked"].st_ino != places["numbered"].st_ino
        assert places["marked"].st_mode & 0o777 == 0o600
        assert lines(made["marked"].path / f"{part}.jsonl")[0][2] == "marked"
    assert made["numbered"].manifest["outputs"] != made["marked"].manifest["outputs"]
    assert verify(data) == []
    # A later one is made for itself: what is published is not written again.
    before = (made["numbered"].path / "train.jsonl").read_bytes()
    make(data, "again", force=True, max_words=1_000, min_words=2)
    assert (made["numbered"].path / "train.jsonl").read_bytes() == before


def test_formats_beside_each_other_are_as_alone(data: Path, tmp_path: Path) -> None:
    names = (*CLASSES, "one")
    together = make(data, *names, workers=2)
    for name in names:
        alone = make(copy_of(data, tmp_path / name), name, force=True)[name]
        assert alone.manifest == together[name].manifest
    assert verify(data) == []


def test_arrays_hold_the_records_of_lines(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_RUN_BYTES", 1)
    made = make(data, "arrays", "nested", "numbered", "one")
    folder = made["arrays"].path
    for part in PARTS:
        found = json.loads((folder / f"data/{part}.json").read_text("utf-8"))
        assert found == lines(made["numbered"].path / f"{part}.jsonl")
        # Another format's file of the same name holds that one's own lines.
        theirs = lines(made["nested"].path / f"data/{part}.json")
        assert theirs == [[number, text, "nested"] for number, text, _ in found]
    assert json.loads((folder / "data/all.json").read_text("utf-8")) == lines(made["one"].path)
    assert json.loads((folder / "files.json").read_text("utf-8")) == [
        f"data/{name}.json" for name in (*PARTS, "all")
    ]
    paths = {output["path"]: output["rows"] for output in made["arrays"].manifest["outputs"]}
    assert (paths["data/all.json"], paths["files.json"]) == (2 * ROWS, 0)


def test_sections_have_files_of_their_own(data: Path) -> None:
    result = make(data, "both")["both"]
    assert [each["name"] for each in result.manifest["sections"]] == ["sft", "dpo"]
    for name, count in (("sft", 2 * ROWS), ("dpo", ROWS // 3)):
        found = [line for part in PARTS for line in lines(result.path / f"{name}_{part}.jsonl")]
        assert sorted(number for number, *_ in found) == list(range(1, count + 1))
    configs = {each["config_name"]: each["data_files"] for each in result.manifest["configs"]}
    assert configs["dpo"] == [{"split": part, "path": f"dpo_{part}.jsonl"} for part in PARTS]


def test_a_later_section_without_records_is_left_out(data: Path) -> None:
    result = make(data, "both", sources=("source-0",))["both"]
    assert result.manifest["sections"] == []
    assert sorted(path.name for path in result.path.glob("*.jsonl")) == [
        f"sft_{part}.jsonl" for part in PARTS
    ]
    assert verify(data) == []


def test_a_first_section_without_records_makes_no_format_and_keeps_no_other(data: Path) -> None:
    with pytest.raises(SettingsError, match="no preference pair is left"):
        make(data, "pairs", "numbered", sources=("source-0",))
    assert (data / "test_numbered/train.jsonl").is_file()
    assert not (data / "test_pairs").exists()
    assert list((data / "staging").iterdir()) == []


def test_a_corpus_without_pairs_is_told(tmp_path: Path) -> None:
    rows = [{"q": f"question {n}", "a": "answer"} for n in range(20)]
    merge_own(tmp_path, own_rows(tmp_path, "mine", rows))
    with pytest.raises(SettingsError, match="the corpus holds no preference pairs"):
        make(tmp_path, "pairs")


def test_a_test_part_has_a_file_of_its_own(data: Path) -> None:
    result = make(data, "numbered", test_share=0.1)["numbered"]
    counts = {part: len(lines(result.path / f"{part}.jsonl")) for part in (*PARTS, "test")}
    assert counts == {"train": 84, "validation": 24, "test": 12}


@dataclass(frozen=True)
class Slices:
    """Tells how many rows each slice has."""

    def open(self, stack: ExitStack) -> SliceCounter:
        del stack
        return SliceCounter()


class SliceCounter:
    def __init__(self) -> None:
        self._sizes: list[int] = []

    def write(self, rows: RowBatch, parts: Parts) -> None:
        assert rows.num_rows == len(parts)
        self._sizes.append(rows.num_rows)

    def result(self) -> list[int]:
        return self._sizes


def test_slices_are_the_same_whatever_formats_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_batch, "BATCH_BYTES", 4096)
    texts = {name: ["word " * 40] * ROWS for name in COLUMNS}
    files = [tmp_path / f"{at}.parquet" for at in range(2)]
    for path in files:
        pq.write_table(pa.table({**texts, "tags": ["[]"] * ROWS}), path)
    saved: dict[str, Any] = {
        "times": np.ones(2 * ROWS, np.uint16),
        "parts": np.zeros(2 * ROWS, np.int8),
    }
    for name, array in saved.items():
        np.save(tmp_path / f"{name}.npy", array)
    run = Run(tuple(files), 0, 2 * ROWS, 2 * ROWS * len(texts["input"][0]))

    def slices(*columns: tuple[str, ...]) -> list[int]:
        parts = tuple(Part(Slices(), 0, each) for each in columns)
        job = RunJob(run, tmp_path / "parts.npy", (Pick(tmp_path / "times.npy"),), parts)
        first, *others = write_run(job, lambda *_: None).told
        assert all(other == first for other in others)
        sizes: list[int] = first
        return sizes

    rejected, chat = ("rejected_response",), ("input", "response")
    alone = slices(rejected)
    assert len(alone) > 2
    assert sum(alone) == 2 * ROWS
    assert slices(chat) == alone
    assert slices(chat, rejected) == alone
    assert slices(chat, ("input", "response", "source", "tags")) == alone
