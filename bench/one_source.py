"""What the jobs share that merge one source of their own by an entry, and prepare both formats."""

from __future__ import annotations

from bench.contestant import in_and_out
from mindcorpus import merge_all_datasets, prepare_all_formats

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
    corpus, out = in_and_out(program, description)
    catalog = out / "catalog.toml"
    written = _ENTRY.format(name=name, path=corpus.absolute(), entry=entry)
    catalog.write_text(written, encoding="utf-8")
    merge_all_datasets(data_dir=out, sources=[name], catalogs=[catalog], force=True)
    prepare_all_formats(data_dir=out, force=True)
