"""A result in short: what stays of it once its job has been over for an hour."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_LONGEST = 700  # bytes; a whole record has two kB


def in_short(result: str) -> str:
    """Give a result, in JSON, as it is where that is short; else how many records and which files.

    What is left out, the artifact's manifest says: statistics, warnings, notes. Of the files come
    those that are no folder's first, as many as fit.
    """
    if len(result.encode()) <= _LONGEST:
        return result
    try:
        whole = json.loads(result)
    except ValueError:
        return ""
    return json.dumps(_essence(whole)) if isinstance(whole, dict) else ""


def _essence(whole: Mapping[str, Any]) -> dict[str, Any]:
    short: dict[str, Any] = {"shortened": True}
    short |= {name: whole[name] for name in ("records", "path") if name in whole}
    if "formats" in whole:
        short["formats"] = {
            name: {"path": made["path"], "rows": made["rows"]}
            for name, made in whole["formats"].items()
        }
    if whole.get("missing"):
        short["missing"] = [
            {"source": gone["source"], "reason": "", "hint": ""} for gone in whole["missing"]
        ]
    short["artifacts"] = []
    for file in sorted(whole.get("artifacts", ()), key=lambda file: str(file["path"]).count("/")):
        more = {**short, "artifacts": [*short["artifacts"], file]}
        if len(json.dumps(more)) <= _LONGEST:
            short = more
    return short
