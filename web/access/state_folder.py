"""The state folder: keys, tokens and the audit log, apart from the data that workers share.

Who has the data folder, a backup of it, or a worker has none of these.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mindcorpus.errors import SettingsError
from mindcorpus.storage.disk import sync
from web.access.private_files import open_to_others, state_errors, write_private
from web.settings import WebSettings

#: Written once what lay in the data folder was taken over: what turns up there later, which
#: whoever can write that folder may have put there, opens nothing.
_TAKEN_OVER = "taken-over"


def prepare_state(settings: WebSettings) -> tuple[str, ...]:
    """Make the state folder; gives what is to be said about it, such as that tokens were moved.

    Raises `SettingsError` if it lies within the data folder, and `StorageError`.
    """
    folder = settings.state_path
    _refuse_the_data_folder(settings)
    said: list[str] = []
    with state_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if open_to_others(folder.stat()):
            said.append(f"Others may look into the state folder: chmod -R go= {folder}")
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / _TAKEN_OVER).exists():
                said += _take_over(settings)
                write_private(folder / _TAKEN_OVER, b"")
        finally:
            os.close(lock)
    return tuple(said)


def _refuse_the_data_folder(settings: WebSettings) -> None:
    state, data = settings.state_path.resolve(), settings.data_dir.resolve()
    if state == data or data in state.parents:
        raise SettingsError(
            f"setting state_dir: {settings.state_path} lies in the data folder, which workers "
            "and backups have",
            field="state_dir",
            hint="Set MINDCORPUS_STATE_DIR to a folder beside it.",
        )


def _take_over(settings: WebSettings) -> Iterator[str]:
    old = settings.data_dir / ".service"
    if settings.tokens_file is None and (old / "tokens.json").exists():
        yield _move_tokens(old / "tokens.json", settings.tokens_path)
    # Not moved: whoever had the data folder has the key, so sessions of it must end.
    (old / "session.key").unlink(missing_ok=True)
    shutil.rmtree(old / "signed-out", ignore_errors=True)


def _move_tokens(old: Path, new: Path) -> str:
    lock_path = old.with_name(f"{old.name}.lock")
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # A command of the version before may be writing.
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = old.read_bytes()
        # Copied, not renamed: the two folders may be volumes of their own.
        write_private(new, content, replace=False)
        if new.read_bytes() != content:
            return f"There are two tokens files: {new} is used, {old} opens nothing."
        old.unlink()
        with suppress(FileNotFoundError):
            lock_path.unlink()
        sync(old.parent)
    finally:
        os.close(lock)
    return f"The tokens were moved from {old.parent} to {new.parent}."
