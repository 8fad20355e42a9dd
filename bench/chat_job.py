"""mindcorpus on chats, merge and both formats: `python -m bench.chat_job IN OUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mindcorpus import merge_all_datasets, prepare_all_formats

NAME = "Chats"
_ENTRY = """\
[[source]]
name = "{name}"
path = "{path}"
adapter = "messages"
type = "conversation"

[source.options]
messages = "messages"

[source.licence]
id = "CC0-1.0"
commercial = "yes"
terms = "Made up for a measurement."
"""


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.chat_job", description=__doc__)
    parser.add_argument("corpus", type=Path, metavar="IN")
    parser.add_argument("out", type=Path, metavar="OUT")
    given = parser.parse_args()
    catalog = given.out / "catalog.toml"
    catalog.write_text(_ENTRY.format(name=NAME, path=given.corpus.absolute()), encoding="utf-8")
    merge_all_datasets(data_dir=given.out, sources=[NAME], catalogs=[catalog], force=True)
    prepare_all_formats(data_dir=given.out, force=True)


if __name__ == "__main__":
    main()
