"""The pandas script one would write today for tiny rows: `python -m bench.tiny_script IN OUT`."""

from __future__ import annotations

import pandas as pd

from bench.contestant import in_and_out
from bench.pandas_script import as_record, prepare_huggingface, prepare_openai, save
from bench.tiny import FILE


def main() -> None:
    """Run as a program."""
    corpus, out = in_and_out("bench.tiny_script", __doc__)
    frame = pd.read_json(corpus / FILE, lines=True)
    frame = frame.rename(columns={"q": "input", "a": "response"})
    merged = save(as_record(frame, "Tiny", "counseling", []), out)
    prepare_openai(merged, out)
    prepare_huggingface(merged, out)


if __name__ == "__main__":
    main()
