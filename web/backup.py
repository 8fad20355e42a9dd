"""A backup: what was published, added sources, and the state of the web server, as one archive.

Staging, parts and Redis are left out: they can be made again, or change while they are read.
"""

from __future__ import annotations

import os
import secrets
import sys
import tarfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from mindcorpus.errors import NoCorpusError, storage_errors
from mindcorpus.privacy import create
from mindcorpus.sources.added import FOLDER, added_names
from mindcorpus.sources.lock import SourcesLock
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.store import Store
from web.settings import WebSettings

_LOCK = "sources.lock"
#: Of `.service`, where a release before kept its state; Redis' files and logs are not of it.
_NOT_STATE = ("redis", "logs", "lock")


def write_backup(settings: WebSettings, target: Path | None) -> None:
    """Write a backup to a file, there whole or not at all, or to standard output.

    The file is its owner's alone. Raises `StorageError`.
    """
    if target is None:
        _write(settings, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    with storage_errors(target.parent):
        try:
            with os.fdopen(create(draft, os.O_EXCL), "wb") as out:
                _write(settings, out)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def _write(settings: WebSettings, out: BinaryIO) -> None:
    store = Store(settings.data_dir)
    with (
        ExitStack() as stack,
        tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as to,
    ):
        with store.locked():
            # All of one moment: nobody publishes meanwhile. What is pinned then stays to the end.
            builds = {}
            for kind in KINDS:
                try:
                    builds[kind] = stack.enter_context(store.reading(kind))
                except NoCorpusError:
                    continue
            lock = SourcesLock.read(store.data_dir / _LOCK)
        for path in (store.data_dir, store.data_dir / "artifacts"):
            to.add(path, f"data/{path.relative_to(store.data_dir)}", recursive=False)
        for kind, folder in builds.items():
            to.add(folder, f"data/artifacts/{folder.name}")
            _add_link(to, f"data/artifacts/{kind}", folder.name)
            for name in KINDS[kind].links:
                _add_link(to, f"data/{name}", os.readlink(store.data_dir / name))
        if lock.sources:
            to.add(store.data_dir / _LOCK, f"data/{_LOCK}")
        _add_entries(to, store.data_dir)
        states = ((settings.data_dir / ".service", "data/.service"), (settings.state_path, "state"))
        for folder, name in states:
            _add_state(to, folder, name)


def _add_entries(to: tarfile.TarFile, data_dir: Path) -> None:
    names = added_names(data_dir)
    if names:
        to.add(data_dir / FOLDER, f"data/{FOLDER}", recursive=False)
    for name in names:
        with suppress(FileNotFoundError):  # removed just now
            to.add(data_dir / FOLDER / f"{name}.toml", f"data/{FOLDER}/{name}.toml")


def _add_state(to: tarfile.TarFile, folder: Path, name: str) -> None:
    if folder.is_dir():
        to.add(folder, name, recursive=False)
        for path in sorted(folder.iterdir()):
            if path.name not in _NOT_STATE:
                to.add(path, f"{name}/{path.name}")


def _add_link(to: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type = tarfile.SYMTYPE
    link.linkname = target
    to.addfile(link)
