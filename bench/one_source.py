"""What the jobs share that merge one source of their own by an entry, and prepare both formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import ours

_ENTRY = """\
[[source]]
name = "{name}"
path = "{path}"
{entry}
[source.licence]
id = "CC0-1.0"
commercial = "yes"
terms = "Made up for a measurement."
"""


def main(program: str, description: str | None, name: str, entry: str) -> None:
    """Run as a program: merge the folder IN by an entry into OUT, and prepare both formats."""

    def fields(corpus: Path, out: Path) -> dict[str, Any]:
        catalog = out / "catalog.toml"
        written = _ENTRY.format(name=name, path=corpus.absolute(), entry=entry)
        catalog.write_text(written, encoding="utf-8")
        return {"sources": (name,), "catalogs": (str(catalog),)}

    ours.main(program, description, fields)
