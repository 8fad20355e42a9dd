"""A push to a storage or a folder: a folder of its own for each, and the manifest last of all.

Whoever reads there takes a folder with a manifest for a whole one. What fails is removed again.
"""

from __future__ import annotations

import os
import secrets
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import fsspec

from mindcorpus import privacy
from mindcorpus.errors import (
    MindcorpusError,
    PushDeniedError,
    PushError,
    SettingsError,
    storage_errors,
)
from mindcorpus.progress import Cancellation, Progress, Reporter
from mindcorpus.pushing.parcels import Parcel, ParcelFile
from mindcorpus.pushing.targets import STORAGES, Place

_PIECE = 8 * 1024 * 1024  # bytes; a storage takes parts of at least five


def send_to_place(parcel: Parcel, where: Place, report: Reporter, cancel: Cancellation) -> str:
    """Send a parcel into a new folder below a place, and give that folder's address.

    Raises `SettingsError` where what opens the storage is not installed, `PushDeniedError`,
    `PushError`, `StorageError` and `CancelledError`.
    """
    name = f"{parcel.build}-{secrets.token_hex(4)}"
    try:
        system, root = fsspec.core.url_to_fs(where.address)
    except ImportError:
        extra = STORAGES[where.scheme]
        raise SettingsError(
            f"what opens {where.scheme}:// is not installed",
            field="target",
            hint=f"pip install 'mindcorpus[{extra}]'",
        ) from None
    whole = f"{root.rstrip('/')}/{name}"
    try:
        with storage_errors(Path(where.address)) if not where.scheme else nullcontext():
            _send(parcel, system, whole, _Telling(parcel, report, cancel))
    except BaseException as error:
        with suppress(Exception):
            system.rm(whole, recursive=True)
        if isinstance(error, MindcorpusError) or not isinstance(error, Exception):
            raise
        # Not chained: a storage's own words may hold keys and signed addresses.
        raise _told(error, where) from None
    return f"{where.address}/{name}"


class _Telling:
    """Counts what was sent, and looks whether somebody cancelled."""

    def __init__(self, parcel: Parcel, report: Reporter, cancel: Cancellation) -> None:
        self._report = report
        self._cancel = cancel
        self._done = 0
        self._total = parcel.bytes

    def sent(self, path: str, size: int) -> None:
        """Take note of bytes of a file."""
        self._cancel.check()
        self._done += size
        self._report(Progress("publish", path, done=self._done, total=self._total))


def _send(parcel: Parcel, system: Any, whole: str, telling: _Telling) -> None:
    for file in parcel.files:  # the manifest is the last
        path = f"{whole}/{file.path}"
        opened = _open(system, path)
        try:
            _copy(file, opened, telling)
        except BaseException:
            _give_up(opened)
            raise
        opened.close()
        size = system.info(path)["size"]
        if size != file.bytes:
            raise PushError(f"{file.path} has {size} bytes there, and {file.bytes} here")


def _open(system: Any, path: str) -> Any:
    """Open a file for writing; on this machine it is its owner's alone, and so are its folders."""
    if "file" not in system.protocol:
        return system.open(path, "wb")
    privacy.make_folder(Path(path).parent)
    return os.fdopen(privacy.create(Path(path)), "wb")


def _give_up(opened: Any) -> None:
    """Close a file that is not whole; in a storage, closing alone would publish what there is."""
    if hasattr(opened, "discard"):
        opened.discard()
        opened.closed = True
    else:
        opened.close()


def _copy(file: ParcelFile, opened: Any, telling: _Telling) -> None:
    with file.file.open("rb") as source:
        while piece := source.read(_PIECE):
            opened.write(piece)
            telling.sent(file.path, len(piece))


def _told(error: Exception, where: Place) -> PushError:
    name = type(error).__name__
    if isinstance(error, PermissionError) or "Credential" in name:
        return PushDeniedError(
            f"{where.address} does not let us write ({name})",
            hint="Check the keys that its own tools read from the environment, and their rights.",
        )
    if isinstance(error, FileNotFoundError):
        return PushError(f"there is no {where.address}", hint="Make the bucket first.")
    return PushError(
        f"{where.address} could not be written ({name})",
        hint="Nothing is left there that has a manifest; check the address and the network.",
    )
