"""What others on this machine can read of a data folder, and how that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mindcorpus.privacy import Readers
from mindcorpus.storage.builds import kind_of_build

#: What is ours in a data folder, beside the links; `raw` holds a user's own copies.
_OURS = ("artifacts", "parts", "staging", "corpora", "raw", ".service", "sources.lock", "sources")
#: Never a group's: keys, and Redis' files.
_SERVICE = ".service"


def exposed(data_dir: Path, readers: Readers) -> Iterator[Path]:
    """Give what others than the readers could read of a data folder, it first.

    Nothing of a folder that is closed to them: whatever its modes, nobody gets there.
    """
    if not data_dir.is_dir() or not readers.exposes(data_dir):
        return
    yield data_dir
    for path in _ours(data_dir):
        yield from _open_below(path, Readers() if path.name == _SERVICE else readers)


def is_exposed(data_dir: Path, readers: Readers) -> bool:
    """Whether others than the readers can read any of what mindcorpus keeps in a data folder."""
    found = exposed(data_dir, readers)
    next(found, None)  # the folder itself: its names alone tell little
    try:
        return next(found, None) is not None
    except FileNotFoundError:  # removed just now
        return False


def to_close(data_dir: Path, readers: Readers) -> Iterator[tuple[Path, Readers]]:
    """Give all that is ours in a data folder whose mode is not as it should be, and whose it is."""
    if data_dir.is_dir():
        if readers.exposes(data_dir):
            yield data_dir, readers
        for path in _ours(data_dir):
            mine = Readers() if path.name == _SERVICE else readers
            for each in (path, *_walk(path)):
                if mine.exposes(each):
                    yield each, mine


def _ours(data_dir: Path) -> Iterator[Path]:
    """Give what is of our making; in `artifacts` and `staging` others may have things too."""
    for name in _OURS:
        path = data_dir / name
        if path.is_symlink() or not path.exists():
            continue
        yield path


def _open_below(path: Path, readers: Readers) -> Iterator[Path]:
    """Give what is exposed of a file or folder, entering none that is closed."""
    if not readers.exposes(path):
        return
    yield path
    if path.is_dir():
        for inner in sorted(path.iterdir()):
            if not inner.is_symlink() and _is_ours(inner):
                yield from _open_below(inner, readers)


def _walk(path: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(path):
        folders[:] = [name for name in folders if _is_ours(Path(root, name))]
        yield from (Path(root, name) for name in (*folders, *files) if _is_ours(Path(root, name)))


def _is_ours(path: Path) -> bool:
    """Whether something in a folder of ours is: in `artifacts`, what has the name of a build."""
    if path.parent.name != "artifacts":
        return True
    return path.name.startswith(".") or kind_of_build(path.name) is not None
