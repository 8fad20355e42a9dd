"""Corpora for tests: of the sample or of rows a test gives, read back by other libraries."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import mindcorpus
from mindcorpus.job_requests import MergeRequest
from mindcorpus.limits import KEEP_BUILDS
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.progress import Cancellation, Reporter, silent
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import load_catalog
from mindcorpus.storage.builds import kind_of_build
from mindcorpus.storage.status import OUTDATED
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

SAMPLE = Path(mindcorpus.__file__).parent / "sample"
SHARED = Path(__file__).parents[3] / "shared"
NAME = "merged_mental_health_dataset"
HOMES = {source.name: source.repository for source in load_catalog() if source.repository}
NAMES = load_catalog().names
KEYS = ["input", "response", "rejected_response", "source", "type", "tags"]

_LICENCE = '[source.licence]\nid = "CC0-1.0"\nterms = "None."\ncommercial = "yes"\n'


def merge_sample(
    data_dir: Path,
    workers: int = 1,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
    **request: Any,
) -> MergeResult:
    """Merge the sample; `request` are fields of a `MergeRequest`."""
    settings = Settings(data_dir=data_dir, workers=workers)
    return merge(MergeRequest(sample=True, **request), settings, report, cancel)


def own_source(folder: Path, name: str, file: str, **entry: Any) -> str:
    """Write a catalogue file for a source of one file beside it; give its path."""
    fields = {"input": "q", "response": "a", "type": "own", "tags": [], **entry}
    options = "".join(
        f"{side} = {json.dumps(fields[side])}\n" for side in ("input", "response") if fields[side]
    )
    path = folder / f"{name}.toml"
    path.write_text(
        f'[[source]]\nname = "{name}"\npath = "."\ntype = "{fields["type"]}"\n'
        f"tags = {json.dumps(fields['tags'])}\n"
        f'[[source.files]]\npath = "{file}"\n'
        f"[source.options]\n{options}{fields.get('options', '')}\n{_LICENCE}",
        "utf-8",
    )
    return str(path)


def own_rows(folder: Path, name: str, rows: Sequence[Mapping[str, Any]], **entry: Any) -> str:
    """Write rows as JSON lines with a catalogue file that names them; give that file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row) + "\n" for row in rows)
    (folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")
    return own_source(folder, name, f"{name}.jsonl", **entry)


def merge_own(data_dir: Path, *catalogs: str, workers: int = 1, **request: Any) -> MergeResult:
    """Merge the sources of catalogue files, without the project's own."""
    names = tuple(Path(file).stem for file in catalogs)
    asked = MergeRequest(sources=names, catalogs=catalogs, **request)
    return merge(asked, Settings(data_dir=data_dir, workers=workers))


def inflate(folder: Path, times: int) -> dict[str, str]:
    """Write the sample `times` over, each copy with texts of its own; give `paths` for a merge."""
    paths = {}
    for name in NAMES:
        home = SAMPLE / "datasets" / HOMES[name] if name in HOMES else SAMPLE / "raw" / name
        for path in sorted(home.rglob("*")):
            if path.is_file() and path.suffix in (".json", ".jsonl", ".csv"):
                target = folder / name / path.relative_to(home)
                target.parent.mkdir(parents=True, exist_ok=True)
                _repeat(path, target, times)
        paths[name] = str(folder / name)
    return paths


def _repeat(path: Path, target: Path, times: int) -> None:
    text = path.read_text("utf-8")
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        with target.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(
                [
                    head,
                    *(
                        [cell + f" {n}" * (len(cell) > 3) for cell in row]
                        for n in range(times)
                        for row in rows
                    ),
                ]
            )
    elif text.lstrip().startswith("["):
        rows = json.loads(text)
        target.write_text(json.dumps([_marked(row, n) for n in range(times) for row in rows]))
    else:
        lines = text.rstrip("\n").split("\n")
        marked = (json.dumps(_marked(json.loads(line), n)) for n in range(times) for line in lines)
        target.write_text("\n".join(marked) + "\n")


def _marked(row: dict[str, Any], number: int) -> dict[str, Any]:
    """Give a row whose every text, but for labels, begins with a number."""
    return {
        key: f"{number} {value}" if isinstance(value, str) and key != "experiment" and value.strip()
        else [{**turn, "content": f"{number} {turn['content']}"} for turn in value]
        if key == "messages"
        else value
        for key, value in row.items()
    }  # fmt: skip


# Reading back, each with a library that is not the one that wrote


def read_json(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_text("utf-8"))
    assert isinstance(found, list)
    return found


def read_csv(path: Path) -> list[dict[str, Any]]:
    csv.field_size_limit(1 << 30)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    return [{**row, "tags": json.loads(row["tags"])} for row in rows]


def read_parquet(path: Path) -> list[dict[str, Any]]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def digests(folder: Path, *suffixes: str) -> dict[str, str]:
    """Give the sha256 of each file below a folder, links followed."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (not suffixes or path.suffix in suffixes)
    }


def published(data_dir: Path) -> list[str]:
    """Check that what is published is whole; give the sources of the corpus."""
    assert damage_in(data_dir) == []
    manifest = Store(data_dir).manifest("corpus")
    assert len(read_json(data_dir / f"{NAME}.json")) == manifest["rows"]
    return [entry["name"] for entry in manifest["sources"]]


def nothing_left(data_dir: Path) -> None:
    """Check that no run left anything but its artifacts, and those that it replaced and kept."""
    assert list((data_dir / "staging").iterdir()) == []
    left = [path for path in (data_dir / "artifacts").iterdir() if path.name != ".pins"]
    links = [path for path in left if path.is_symlink()]
    folders = sorted(path.name for path in left if not path.is_symlink())
    assert folders == sorted(os.readlink(link) for link in links)
    for kind in {kind_of_build(name) for name in folders}:
        assert len([name for name in folders if kind_of_build(name) == kind]) <= 1 + KEEP_BUILDS
    assert Store(data_dir).pins.held() == frozenset()
    assert not list((data_dir / "artifacts").glob(".pins/*"))
    assert not [path for path in data_dir.iterdir() if path.name.startswith(".")]


def copy_of(data_dir: Path, target: Path) -> Path:
    """Copy a data folder, links as links."""
    return shutil.copytree(data_dir, target, symlinks=True)


def python(script: Path, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start a script in an interpreter of its own, with this checkout on its path."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(script), *map(str, arguments)],
        env={"PYTHONPATH": str(SAMPLE.parents[1]), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        **options,
    )


def damage_in(data_dir: Path) -> list[dict[str, str]]:
    """Give what `verify` finds, but for whole formats that are of an earlier corpus or split."""
    return [each for each in verify(data_dir) if each["problem"] not in OUTDATED.values()]


def outdated_in(data_dir: Path) -> list[str]:
    """Give the formats that `verify` calls outdated."""
    return [each["kind"] for each in verify(data_dir) if each["problem"] in OUTDATED.values()]
