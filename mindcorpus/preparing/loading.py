"""A format that was published, for notebooks: as its readers load it, or as one pandas table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.errors import SettingsError
from mindcorpus.storage.kinds import LINEAGE

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict

_BUILDERS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".arrow": "arrow"}


def load_parts(folder: Path, manifest: Mapping[str, Any], section: str | None) -> DatasetDict:
    """Load the parts of a format's section, the first one if none is named, with `datasets`.

    Raises `SettingsError` for a section that it has not.
    """
    import datasets

    if (folder / "dataset_dict.json").is_file():
        _files_of(manifest, section)
        return datasets.load_from_disk(str(folder))
    files = _files_of(manifest, section)
    builder = _BUILDERS[Path(next(iter(files.values()))).suffix]
    places = {part: str(folder / file) for part, file in files.items()}
    return datasets.load_dataset(builder, data_files=places)


def table_of(folder: Path, manifest: Mapping[str, Any], section: str | None) -> pd.DataFrame:
    """Read all records of a format's section into a table, each with its `part`.

    Values are as the files have them. Raises `SettingsError` for a section that it has not.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    parts: list[str] = []
    files = _files_of(manifest, section)
    for part, file in files.items():
        found = list(_rows(folder, file))
        rows += found
        # Of one file for all only the lineage knows in which part each of its records is.
        parts += _parts_of(folder, file) or [part] * len(found)
    table = pd.DataFrame(rows)
    table.insert(len(table.columns), "part", parts)
    return table


def _files_of(manifest: Mapping[str, Any], section: str | None) -> dict[str, str]:
    configs = {each["config_name"]: each["data_files"] for each in manifest["configs"]}
    name = next(iter(configs)) if section is None else section
    if name not in configs:
        raise SettingsError(
            f"{manifest['kind']} has no section {name!r}",
            field="section",
            hint=f"It has {', '.join(configs)}.",
        )
    return {each["split"]: each["path"] for each in configs[name]}


def _rows(folder: Path, file: str) -> Iterator[dict[str, Any]]:
    """Read the rows of a file, or of those that a pattern names, as they are."""
    for path in sorted(folder.glob(file)):
        if path.suffix == ".arrow":
            with pa.OSFile(str(path)) as raw, pa.ipc.open_stream(raw) as stream:
                for batch in stream:
                    yield from batch.to_pylist()
        elif path.suffix == ".json":
            yield from json.loads(path.read_text("utf-8"))
        else:
            with path.open("rb") as lines:
                yield from map(orjson.loads, lines)


def _parts_of(folder: Path, file: str) -> list[str]:
    """Give the part of each record of a file; none of several files that a pattern names."""
    lineage = pq.ParquetFile(folder / LINEAGE).read(columns=["file", "part"])
    names, parts = (lineage.column(name).to_pylist() for name in ("file", "part"))
    return [part for name, part in zip(names, parts, strict=True) if name == file]
