"""Reads folders with mlcroissant, by their croissant.json: it validates it, and gives records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlcroissant
import reading


def _folder(folder: Path) -> reading.Files:
    described = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not described.metadata.ctx.issues.errors, described.metadata.ctx.issues.report()
    found: reading.Files = {}
    for each in described.metadata.record_sets:
        found[each.id] = [_row(record) for record in described.records(each.id)]
    return found


def _row(record: dict[str, Any]) -> reading.Row:
    """Tell a record's fields by their last name, texts as texts."""
    return {
        "fields": {
            key.rpartition("/")[2]: value.decode() if isinstance(value, bytes) else str(value)
            for key, value in record.items()
        }
    }


if __name__ == "__main__":
    reading.read_all({"*": _folder})
