"""What travels between processes by way of a folder they share: paths travel as places in it.

A file is read only where its sha256 is the one that was written, which the reader has from somebody
it trusts; the folder's files are their owner's alone.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindcorpus import privacy
from mindcorpus.errors import ArtifactError


class Places:
    """How paths travel: as what they are to a plan, or to an attempt at a part of it.

    `laid`: a file that the plan laid out. `own`, `folder`: what tasks make, or make it in. `data`:
    what lies in the data folder beside it. Others travel as they are.
    """

    def __init__(self, root: Path, own: Path, data_dir: Path) -> None:
        """Take the folder of the work, that of the attempt or the same, and what hosts mount."""
        real = (Path(os.path.realpath(path)) for path in (root, own, data_dir))
        self._root, self._own, self._data = real

    def of(self, path: Path) -> tuple[str, str] | None:
        """Give what a path travels as."""
        real = Path(os.path.realpath(path.parent)) / path.name
        if self._own != self._root and real.is_relative_to(self._own):
            return "own", str(real.relative_to(self._own))
        if real.is_relative_to(self._root):
            kind = "laid" if real.is_file() else "folder" if real.is_dir() else "own"
            return kind, str(real.relative_to(self._root))
        if real.is_relative_to(self._data):
            return "data", str(real.relative_to(self._data))
        return None


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, places: Places) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self._places = places

    def persistent_id(self, value: Any) -> tuple[str, str] | None:
        return self._places.of(value) if isinstance(value, Path) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, homes: Mapping[str, Path]) -> None:
        super().__init__(file)
        self._homes = homes

    def persistent_load(self, place: tuple[str, str]) -> Path:
        kind, name = place
        path = self._homes[kind] / name
        if kind in ("own", "folder"):
            privacy.make_folder(path if kind == "folder" else path.parent)
        return path


def save(path: Path, value: Any, places: Places) -> str:
    """Pickle a value; gives its sha256."""
    buffer = io.BytesIO()
    _Pickler(buffer, places).dump(value)
    privacy.write(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def load(path: Path, sha256: str, root: Path, *, laid: Path, own: Path) -> Any:
    """Read what was pickled, if it is that; raises `ArtifactError` if it is not, or gone."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise gone() from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtifactError(
            "what was planned of the job was changed", hint="Run it again.", file=str(path)
        )
    data_dir = root.parent.parent
    homes = {"laid": laid, "own": own, "folder": own, "data": data_dir}
    return _Unpickler(io.BytesIO(content), homes).load()


def gone() -> ArtifactError:
    """Make the error of a plan that is not there any more."""
    return ArtifactError("what was planned of the job is gone", hint="Run it again.")
