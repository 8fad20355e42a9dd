"""`sources.lock`: commit and checksums of all that was merged, so that it can be again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mindcorpus.errors import SettingsError, storage_errors
from mindcorpus.privacy import drafted
from mindcorpus.sources.file_formats import known_encoding

_REMEDY = "Restore the file from a copy, or delete it to lock today's commits with the next merge."


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedFile(_Entry):
    """What one file must hold."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class LockedSource(_Entry):
    """Where a source's files were had: a hub repository at a commit, or a URL (with no commit).

    `split` is the split that they are, or "" if the source names its files; `config` the
    configuration, if the source names one.
    """

    repository: str = Field(min_length=1)
    revision: str = Field(pattern=r"^([0-9a-f]{40})?$")
    split: str = ""
    config: str = ""
    files: dict[str, LockedFile]

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, LockedFile]) -> dict[str, LockedFile]:
        # A lock may come from elsewhere, and its paths are opened.
        for path in files:
            if not path or path.startswith("/") or ".." in PurePosixPath(path).parts:
                raise ValueError(f"{path!r} is not a path within a repository")
        return files


class SourcesLock(_Entry):
    """The lock of a corpus, by the names of its sources."""

    version: Literal[1] = 1
    sources: dict[str, LockedSource] = {}
    encodings: dict[str, str] = {}
    """By a file's sha256: the encoding that its text was guessed to be in."""

    @field_validator("encodings")
    @classmethod
    def _known(cls, encodings: dict[str, str]) -> dict[str, str]:
        return {sha256: known_encoding(name) for sha256, name in encodings.items()}

    @classmethod
    def read(cls, path: Path) -> SourcesLock:
        """Read a lock; a missing file is an empty one.

        Raises `SettingsError` naming the file, and the field if one is wrong.
        """
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return cls()
        except OSError as error:
            raise SettingsError(
                f"the lock cannot be read: {(error.strerror or 'input/output error').lower()}",
                file=str(path),
                hint="Check the file's owner and permissions.",
            ) from None
        try:
            return cls.model_validate(json.loads(text))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ").lower()
            raise SettingsError(
                f"the lock is wrong: {message}", file=str(path), field=field or None, hint=_REMEDY
            ) from None
        except ValueError:  # neither UTF-8 nor JSON
            raise SettingsError("the lock is not JSON", file=str(path), hint=_REMEDY) from None

    def write(self, path: Path) -> None:
        """Write the lock, in one step and with sorted keys: equal locks are equal bytes.

        Raises `StorageError`.
        """
        values = self.model_dump()
        if not self.encodings:
            del values["encodings"]
        for source in values["sources"].values():
            if not source["config"]:
                del source["config"]
        text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        with storage_errors(path), drafted(path, text.encode()) as draft:
            draft.replace(path)

    def with_sources(
        self, sources: Mapping[str, LockedSource], encodings: Mapping[str, str] | None = None
    ) -> SourcesLock:
        """Give a lock in which these sources, and guessed encodings, are added or replaced."""
        return self.model_copy(
            update={
                "sources": {**self.sources, **sources},
                "encodings": {**self.encodings, **(encodings or {})},
            }
        )
