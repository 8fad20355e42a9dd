"""Sources made up for these tests: four local ones, as large as is wanted, and one on the hub."""

from __future__ import annotations

import json
import secrets
from functools import cache
from pathlib import Path

LOCAL = ("alpha", "beta", "gamma", "delta")
HUB = "distant"
REPOSITORY = "faults/distant"
ROWS_A_MEGABYTE = 1500

_ENTRY = """
[[source]]
name = "{name}"
{home}
type = "talk"
[source.options]
input = "q"
response = "a"
[source.licence]
id = "MIT"
terms = "Keep the notice."
commercial = "yes"
"""

_HOME = f"""repository = "{REPOSITORY}"
files = [{{ path = "rows.jsonl" }}]"""

CATALOG = _ENTRY.format(name=HUB, home=_HOME) + "".join(
    _ENTRY.format(name=name, home=f'path = "raw/{name}.jsonl"') for name in LOCAL
)


@cache
def _megabyte() -> bytes:
    lines = [
        json.dumps({"q": f"MARK {n} " + "why " * 60, "a": f"MARK {n} " + "because " * 40})
        for n in range(ROWS_A_MEGABYTE)
    ]
    return ("\n".join(lines) + "\n").encode()


def fill(data_dir: Path, *names: str, megabytes: int = 4) -> int:
    """Give sources new content, never the same twice; gives the rows that a merge will keep."""
    for name in names:
        path = data_dir / "raw" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_bytes(rows(megabytes))
        draft.replace(path)
    return megabytes * ROWS_A_MEGABYTE * len(names)


def rows(megabytes: int) -> bytes:
    """Give JSON lines that no other call gives."""
    mark = secrets.token_hex(4)
    return b"".join(
        _megabyte().replace(b"MARK", f"{mark}.{number}".encode()) for number in range(megabytes)
    )
