"""Croissant: an artifact told to machines, in MLCommons' JSON-LD (docs.mlcommons.org/croissant).

Each file is a `FileObject` with its sha256, each table of rows a `RecordSet`. `sources` holds what
the manifest knows of every source; where a table names the source of its rows, they are joined, so
that each row has its licence. The corpus' lineage is a table of its own: file, revision, row.

It names no date and no address: the same inputs give the same bytes, wherever they lie.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from mindcorpus.storage.croissant_columns import COLUMNS, Column
from mindcorpus.storage.files import Written
from mindcorpus.storage.kinds import CORPUS, CROISSANT
from mindcorpus.storage.licences import kept
from mindcorpus.storage.manifest import write_text

VERSION = "http://mlcommons.org/croissant/1.1"
#: The context of version 1.1, which readers expect word for word.
_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            "arrayShape",
            "citeAs",
            "column",
            "containedIn",
            "equivalentProperty",
            "extract",
            "field",
            "fileObject",
            "fileProperty",
            "fileSet",
            "format",
            "includes",
            "isArray",
            "isLiveDataset",
            "jsonPath",
            "key",
            "md5",
            "parentField",
            "path",
            "recordSet",
            "references",
            "regex",
            "repeated",
            "replace",
            "samplingRate",
            "separator",
            "source",
            "subField",
            "transform",
        )
    },
    **{name: {"@container": "@language"} for name in ("description", "name")},
    **{name: {"@id": f"cr:{name}", "@type": "@json"} for name in ("data", "examples")},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
#: What a file is, by its ending. Arrow has no reader there, nor a registered name without a tree.
_ENCODINGS = {
    ".arrow": "application/vnd.apache.arrow.stream",
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".md": "text/markdown",
    ".parquet": "application/x-parquet",
    ".yml": "application/yaml",
}
_SOURCES = "sources"
#: Fields of the record set of the sources, and what of a manifest's source they are.
_OF_SOURCE: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "name": lambda source: source["name"],
    "origin": lambda source: source["origin"],
    "revision": lambda source: source["revision"] or "",
    "licence": lambda source: source["licence"]["id"],
    "licence_url": lambda source: source["licence"]["url"],
    "terms": lambda source: source["licence"]["terms"],
    "rows": lambda source: source["kept"],
}


@dataclass(frozen=True)
class _Table:
    """Files of the same columns: the rows of one record set."""

    name: str
    paths: Sequence[str]
    glob: str | None
    """The pattern of a set of files; None: one file."""


def write_croissant(folder: Path, manifest: Mapping[str, Any]) -> Written:
    """Write the description of an artifact's files, from its manifest (without this entry)."""
    return write_text(
        folder / CROISSANT,
        json.dumps(_document(folder, manifest), indent=1, ensure_ascii=False) + "\n",
    )


def _document(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    sources = kept(manifest)
    tables = list(_tables(manifest))
    languages = sorted({each for source in sources for each in source.get("language", ())})
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": f"mindcorpus-{manifest['kind']}",
        "description": f"{manifest['rows']:,} mental-health conversations, put together by"
        f" mindcorpus {manifest['tool']['version']}; the licence is that of each row's source.",
        **({"inLanguage": languages} if languages else {}),
        "keywords": ["mental-health", "conversational"],
        "license": sorted({each["licence"]["url"] or each["licence"]["id"] for each in sources}),
        "distribution": [
            *(_file(output) for output in manifest["outputs"]),
            *(_file_set(table) for table in tables if table.glob),
        ],
        "recordSet": [
            _sources(sources),
            *(found for table in tables if (found := _records(table, folder))["field"]),
        ],
    }


def _tables(manifest: Mapping[str, Any]) -> Iterator[_Table]:
    """Give the tables that readers of Croissant can open: the card's configurations, or files."""
    outputs = [output["path"] for output in manifest["outputs"] if output["rows"]]
    readable = [path for path in outputs if PurePosixPath(path).suffix in COLUMNS]
    configs = manifest.get("configs", [])
    found = []
    for config in configs:
        for part in config["data_files"]:
            paths = [path for path in readable if fnmatchcase(path, part["path"])]
            name = part["split"]
            if len(configs) > 1:
                name = f"{config['config_name']}-{name}"
            if paths:
                found.append(_Table(name, paths, part["path"] if "*" in part["path"] else None))
    # Arrow, which most configurations of a saved dataset name, has no reader there.
    yield from found or (_Table(_name(path), [path], None) for path in readable)
    lineage = f"{CORPUS}.lineage.parquet"
    if found and lineage in readable:
        yield _Table("lineage", [lineage], None)


def _name(path: str) -> str:
    return path.removesuffix(PurePosixPath(path).suffix).replace("/", "-")


def _file(output: Mapping[str, Any]) -> dict[str, Any]:
    path = output["path"]
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{output['bytes']} B",
        "encodingFormat": _ENCODINGS.get(PurePosixPath(path).suffix, "application/octet-stream"),
        "sha256": output["sha256"],
    }


def _file_set(table: _Table) -> dict[str, Any]:
    assert table.glob is not None
    return {
        "@type": "cr:FileSet",
        "@id": f"{table.name}-files",
        "name": f"{table.name}-files",
        "description": f"{len(table.paths)} files, in the order of their names.",
        "encodingFormat": _ENCODINGS[PurePosixPath(table.glob).suffix],
        "includes": table.glob,
    }


def _sources(sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": _SOURCES,
        "name": _SOURCES,
        "description": "Where rows come from, and under which licence each source's may be used.",
        "key": {"@id": f"{_SOURCES}/name"},
        "field": [
            _field(_SOURCES, name, "sc:Integer" if name == "rows" else "sc:Text")
            for name in _OF_SOURCE
        ],
        "data": [
            {f"{_SOURCES}/{name}": value(source) for name, value in _OF_SOURCE.items()}
            for source in sources
        ],
    }


def _records(table: _Table, folder: Path) -> dict[str, Any]:
    columns = COLUMNS[PurePosixPath(table.paths[0]).suffix](folder / table.paths[0])
    home = (
        {"fileSet": {"@id": f"{table.name}-files"}}
        if table.glob
        else {"fileObject": {"@id": table.paths[0]}}
    )
    fields = [_column(table.name, column, home) for column in columns]
    names = {column.name for column in columns}
    if "source" in names:
        at = [column.name for column in columns].index("source")
        fields[at]["references"] = {"field": {"@id": f"{_SOURCES}/name"}}
        if "licence" not in names:
            of_source = {"source": {"field": {"@id": f"{_SOURCES}/licence"}}}
            fields.append({**_field(table.name, "licence", "sc:Text"), **of_source})
    return {"@type": "cr:RecordSet", "@id": table.name, "name": table.name, "field": fields}


def _field(table: str, name: str, type_: str) -> dict[str, Any]:
    path = f"{table}/{name}"
    return {"@type": "cr:Field", "@id": path, "name": path, "dataType": type_}


def _column(table: str, column: Column, home: Mapping[str, Any]) -> dict[str, Any]:
    field = _field(table, column.name, column.type)
    if column.repeated:
        field |= {"isArray": True, "arrayShape": "-1"}
    if not column.members:
        return {**field, "source": _extract(column, home)}
    del field["dataType"]
    members = [_column(table, member, home) for member in column.members]
    return {**field, "subField": members}


def _extract(column: Column, home: Mapping[str, Any]) -> dict[str, Any]:
    source = {**home, "extract": {"column": column.column}}
    if column.inside:
        source["transform"] = [{"jsonPath": path} for path in column.inside]
    return source
