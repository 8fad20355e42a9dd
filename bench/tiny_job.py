"""mindcorpus on tiny rows, merge and both formats: `python -m bench.tiny_job IN OUT`."""

from __future__ import annotations

from bench.one_source import main

NAME = "Tiny"
_ENTRY = """\
adapter = "columns"
type = "counseling"

[source.options]
input = "q"
response = "a"
"""

if __name__ == "__main__":
    main("bench.tiny_job", __doc__, NAME, _ENTRY)
