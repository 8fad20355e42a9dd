"""A source's files as they travel between the steps of a merge: checked, and how they are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mindcorpus.sources.files import Fetched, FetchedFile
from mindcorpus.sources.folders import NotRead
from mindcorpus.sources.readers import SHARD_BYTES
from mindcorpus.sources.readers.prepare import Prepared


@dataclass(frozen=True)
class ShardRef:
    """A shard of a source: which file, which shard of it, and the key of the part it becomes."""

    file: int
    number: int
    key: str


@dataclass(frozen=True)
class SourceFiles:
    """A source's files, their checksums known, and how they are cut."""

    fetched: Fetched
    stamps: tuple[int, ...]
    """When each file was last changed, in nanoseconds: unchanged, it need not be hashed again."""
    shards: tuple[ShardRef, ...]
    prepared: tuple[Prepared, ...]
    """What each file is read as."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.fetched.files)

    def size_of(self, shard: ShardRef) -> int:
        """Give a shard's share of its file's bytes; those of all shards are the file's."""
        shards = sum(other.file == shard.file for other in self.shards)
        size = self.fetched.files[shard.file].size
        return size * (shard.number + 1) // shards - size * shard.number // shards

    def bundles(self) -> list[tuple[ShardRef, ...]]:
        """Give shards in groups that are each worth a process of its own, some 32 MiB."""
        found: list[list[ShardRef]] = []
        filled = SHARD_BYTES
        for shard in self.shards:
            size = self.size_of(shard)
            if filled + size > SHARD_BYTES:
                found.append([])
                filled = 0
            found[-1].append(shard)
            filled += size
        return [tuple(bundle) for bundle in found]

    def as_dict(self) -> dict[str, Any]:
        """Give JSON values; paths of the machine stay behind."""
        fetched = self.fetched
        return {
            "source": fetched.source,
            "origin": fetched.origin,
            "revision": fetched.revision,
            "split": fetched.split,
            "config": fetched.config,
            "files": [
                {
                    "path": file.path,
                    "size": file.size,
                    "sha256": file.sha256,
                    "stamp": stamp,
                    "guessed": file.guessed,
                    "read_as": asdict(prepared),
                }
                for file, stamp, prepared in zip(
                    fetched.files, self.stamps, self.prepared, strict=True
                )
            ],
            "not_read": [[each.path, each.reason] for each in fetched.not_read],
            "shards": [[shard.file, shard.number, shard.key] for shard in self.shards],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SourceFiles:
        """Give the files that `as_dict` described; where they lie is not known."""
        files = tuple(
            FetchedFile(file["path"], Path(), file["size"], file["sha256"], guessed=file["guessed"])
            for file in values["files"]
        )
        fetched = Fetched(
            values["source"],
            values["origin"],
            values["revision"],
            files,
            values["split"],
            tuple(NotRead(*each) for each in values["not_read"]),
            values["config"],
        )
        prepared = tuple(Prepared(**file["read_as"]) for file in values["files"])
        stamps = tuple(file["stamp"] for file in values["files"])
        return cls(fetched, stamps, tuple(ShardRef(*shard) for shard in values["shards"]), prepared)
