"""Files of data that tests write, and a merge of them: what went in, against what came out."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.settings import Settings

#: Rows in several scripts, with what a table or a line must quote.
ROWS = [
    {"question": "Schläft er schlecht? 😴", "answer": "“Yes,” he said;\nsince «May»."},
    {"question": "Ça va, toi?", "answer": "Не очень\t| 眠れない"},
    {"question": 'She said "no", twice', "answer": "I don’t know – really…"},
]
_ENTRY = """
[[source]]
name = "Own"
path = {path}
type = "talk"
{said}
[source.options]
input = "question"
response = "answer"
[source.licence]
id = "MIT"
terms = "Keep the notice."
commercial = "yes"
"""


def zipped(content: bytes, *names: str) -> bytes:
    """Give a zip with files of these names, all of one content."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("rows.csv",):
            archive.writestr(name, content)
    return held.getvalue()


def _zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


#: How to pack, by the ending of what comes of it.
PACKED: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".zst": _zstd,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": zipped,
}


def lines_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Give rows as JSON lines."""
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder; give it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def merge_own(home: Path, data_dir: Path, said: str = "", workers: int = 1) -> MergeResult:
    """Merge a folder or file as a source of its own; `said` are further keys of its entry."""
    catalog = data_dir.with_name(f"{data_dir.name}.toml")
    catalog.write_text(_ENTRY.format(path=json.dumps(str(home)), said=said), "utf-8")
    request = MergeRequest(catalogs=(str(catalog),), sources=("Own",))
    return merge(request, Settings(data_dir=data_dir, workers=workers))


def pairs_of(result: MergeResult) -> list[dict[str, str]]:
    """Give what came of the rows, as they went in."""
    records = json.loads(result.json_path.read_bytes())
    return [{"question": each["input"], "answer": each["response"]} for each in records]
