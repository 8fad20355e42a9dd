"""The key of the code that jobs are done by here: alike on hosts that run the same release.

What one worker plans others write only if they would have planned the same, to the byte.
"""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path

from mindcorpus.formats.installed import GROUP

#: Libraries that bytes of artifacts depend on; some may not be installed.
_LIBRARIES = ("numpy", "orjson", "pyarrow", "tiktoken", "tokenizers", "toktok")


def code_key() -> str:
    """Digest the library's files as they are now, and what is installed that they stand on."""
    spec = find_spec("mindcorpus")
    assert spec is not None
    assert spec.origin is not None
    home = Path(spec.origin).parent
    files = sorted(path for path in home.rglob("*") if path.suffix in (".py", ".toml"))
    return _digest(home, tuple((path, *_stamp(path)) for path in files))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1)
def _digest(home: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    """Digest files once as long as they seem the same: who claims a job asks."""
    digest = hashlib.sha256(platform.python_version().encode())
    for path, _, size in files:
        digest.update(f"{path.relative_to(home)} {size}\n".encode() + path.read_bytes())
    for name, found in sorted(_installed().items()):
        digest.update(f"{name} {found}\n".encode())
    return digest.hexdigest()[:32]


def _installed() -> dict[str, str]:
    """Give the versions of libraries, and of packages that offer formats."""
    found = {}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    for point in entry_points(group=GROUP):
        if point.dist is not None:
            found[point.dist.name] = point.dist.version
    return found
