"""Makes Argilla's own records of each line, and of each what its client would send."""

from __future__ import annotations

import json
from pathlib import Path

import argilla
import reading


def _folder(folder: Path) -> reading.Files:
    found: reading.Files = {}
    for name in reading.files_in(folder):
        rows = []
        for line in (folder / name).read_text("utf-8").splitlines():
            sent = argilla.Record(**json.loads(line)).api_model()
            metadata = {each.name: each.value for each in sent.metadata}
            assert sent.external_id == str(metadata["corpus_row"])
            rows.append(reading.row({"fields": sent.fields, "metadata": metadata}))
        found[name] = rows
    return found


if __name__ == "__main__":
    reading.read_all({"argilla": _folder})
