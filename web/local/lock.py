"""One local service a data folder: its own folder, and the lock that says it is in use."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mindcorpus.errors import SettingsError, storage_errors
from mindcorpus.privacy import make_folder


@contextmanager
def service_folder(data_dir: Path) -> Iterator[tuple[Path, int]]:
    """Give the folder of the service in a data folder, and the descriptor of its lock.

    Who inherits the descriptor keeps the lock. Raises `SettingsError` if the lock is held, and
    `StorageError` if the folder cannot be used.
    """
    folder = data_dir / ".service"
    with storage_errors(folder):
        make_folder(folder)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode(errors="replace").strip()
            raise SettingsError(
                f"the service runs already in {data_dir}" + (f": process {holder}" * bool(holder)),
                hint="Stop it first, or choose another folder with MINDCORPUS_DATA_DIR.",
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield folder, lock
    finally:
        os.close(lock)
