"""Parts of files that are unpacked, put into UTF-8, cut into many shards, or fetched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from corpora import SAMPLE, digests, own_source
from files_of_data import PACKED, ROWS, lines_of, written

from mindcorpus.errors import WrongBytesError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.settings import Settings

if TYPE_CHECKING:
    from hub_server import HubServer

    from mindcorpus.progress import Progress

MIB = 1024 * 1024
TRACE = "TRACE"


class Merge:
    """A merge, and how many rows it read."""

    def __init__(self, settings: Settings, **request: Any) -> None:
        self.rows = 0
        asked = MergeRequest.of(force=True, **request)
        self.result: MergeResult = merge(asked, settings, self._heard)

    def _heard(self, progress: Progress) -> None:
        if progress.stage == "read":
            self.rows = max(self.rows, progress.rows)


def parts(settings: Settings) -> list[Path]:
    return sorted(path.parent for path in (settings.data_dir / "parts").glob("*/part.arrow"))


def corpus(settings: Settings) -> dict[str, str]:
    return digests(settings.data_dir / "artifacts/corpus")


def table_in(encoding: str) -> bytes:
    """Give the rows as a table in an encoding, so many that it can be guessed."""
    text = "".join(f'"Schläft er {n}? Für wen?","Übermäßig schön, {n}."\n' for n in range(300))
    return f"question,answer\n{text}".encode(encoding)


FILES = {
    "rows.jsonl.gz": PACKED[".gz"](lines_of(ROWS)),
    "rows.jsonl.zst": PACKED[".zst"](lines_of(ROWS)),
    "rows.csv": table_in("utf-16"),
    "guessed.csv": table_in("cp1252"),
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", FILES)
def test_what_is_unpacked_or_recoded_is_so_only_where_a_part_is_wanted(
    name: str, workers: int, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data", workers=workers)
    written(tmp_path, {name: FILES[name]})
    catalog = own_source(tmp_path, "own", name, input="question", response="answer")
    request = {"sources": ("own",), "catalogs": (catalog,)}
    first = Merge(settings, **request)
    files = corpus(settings)
    assert first.rows == first.result.statistics["records"] > 2
    again = Merge(settings, **request)
    assert (again.rows, again.result.unchanged) == (0, True)
    rehashed = Merge(settings, rehash=True, **request)
    assert (rehashed.rows, rehashed.result.parts["reused"]) == (0, 1)
    (part,) = parts(settings)
    shutil.rmtree(part)
    # The bytes are known, and how they are read: they are made ready once more.
    third = Merge(settings, rehash=True, **request)
    assert (third.rows, third.result.parts["made"]) == (first.rows, 1)
    assert corpus(settings) == files
    assert third.result.manifest == first.result.manifest


@pytest.mark.parametrize("workers", [1, 2])
def test_of_a_large_file_the_shard_alone_is_read_whose_part_is_damaged(
    workers: int, tmp_path: Path
) -> None:
    with (tmp_path / "large.jsonl").open("w") as file:
        for row in range(70):
            file.write(json.dumps({"q": f"What is {row}?", "a": f"{row} " * (MIB // 3)}) + "\n")
    settings = Settings(data_dir=tmp_path / "data", workers=workers)
    request = {"sources": ("large",), "catalogs": (own_source(tmp_path, "large", "large.jsonl"),)}
    assert Merge(settings, **request).rows == 70
    files, made = corpus(settings), parts(settings)
    assert len(made) >= 3
    content = bytearray((made[0] / "part.arrow").read_bytes())
    content[len(content) // 3] ^= 8
    (made[0] / "part.arrow").write_bytes(content)
    again = Merge(settings, rehash=True, **request)
    assert 0 < again.rows < 70
    assert again.result.parts == {"reused": len(made) - 1, "made": 1, "damaged": 1}
    assert corpus(settings) == files


def test_what_the_cache_holds_is_known_as_well(hub: HubServer, settings: Settings) -> None:
    home = hub.root / "datasets/PomboLabs/TRACE"
    shutil.copytree(SAMPLE / "datasets/PomboLabs/TRACE", home)
    first = Merge(settings, sources=(TRACE,))
    assert first.rows > 0
    hub.reset()
    again = Merge(settings, sources=(TRACE,))
    assert (again.rows, again.result.unchanged) == (0, True)
    assert hub.requests == []
    # A file in the cache that is not what was locked is found, whatever was known of it.
    (cached,) = {
        path.resolve() for path in (settings.cache_dir or Path()).rglob("snapshots/**/*.jsonl")
    }
    cached.chmod(0o600)
    content = cached.read_bytes()
    cached.write_bytes(content.replace(b"e", b"i", 1))
    with pytest.raises(WrongBytesError, match="not what was fetched"):
        Merge(settings, sources=(TRACE,))
    repaired = Merge(settings, sources=(TRACE,))
    assert repaired.result.statistics == first.result.statistics
