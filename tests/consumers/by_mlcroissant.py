"""Reads folders with mlcroissant, by their croissant.json: it validates it, and gives records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlcroissant
import reading

_TEXTS = ("input", "response", "rejected_response", "source", "type")


def _records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Give the records of each file or set of files that the description names."""
    path = folder / "croissant.json"
    described = mlcroissant.Dataset(jsonld=str(path))
    assert not described.metadata.ctx.issues.errors, described.metadata.ctx.issues.report()
    found = {}
    for each in json.loads(path.read_text("utf-8"))["recordSet"]:
        if home := _home(each["field"][0]):
            name = each["@id"]
            found[home] = [_nested(record, name) for record in described.records(name)]
    return found


def _home(field: dict[str, Any]) -> str | None:
    """Give the file that a field is read from; None: its values stand in the description."""
    source = _home_of(field)
    return None if source is None else str(source["@id"])


def _home_of(field: dict[str, Any]) -> dict[str, str] | None:
    if "subField" in field:
        return _home_of(field["subField"][0])
    source = field.get("source", {})
    home: dict[str, str] | None = source.get("fileObject") or source.get("fileSet")
    return home


def _nested(record: dict[str, Any], above: str) -> dict[str, Any]:
    """Give a record as the file has it: its fields are named by their whole path."""
    found: dict[str, Any] = {}
    for path, value in record.items():
        *outer, last = path.removeprefix(f"{above}/").split("/")
        at = found
        for name in outer:
            at = at.setdefault(name, {})
        at[last] = _plain(value, path)
    return found


def _plain(value: Any, path: str) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return _nested(value, path)
    return [_plain(each, path) for each in value] if isinstance(value, list) else value


def _folder(folder: Path) -> reading.Files:
    return {
        home: [reading.row(record) for record in records]
        for home, records in _records(folder).items()
    }


def _corpus(folder: Path) -> reading.Files:
    rows = _records(folder)["train-files"]
    return {"": [reading.columns(record, _TEXTS) for record in rows]}


if __name__ == "__main__":
    reading.read_all({"*": _folder, "corpus": _corpus})
