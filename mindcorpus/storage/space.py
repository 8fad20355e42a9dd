"""What is kept on the disk beside the current builds, and how it yields when it takes too much."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mindcorpus.errors import StorageError
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.staging import left_behind
from mindcorpus.storage.store import Store

Chooser = Callable[[], Iterable["Kept"]]
_PART = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{8})?")  # before, a name had no code of its maker


@dataclass(frozen=True)
class Kept:
    """A build that was replaced, or a part: what can go without harm."""

    what: Literal["build", "part", "left-over"]
    path: Path
    bytes: int
    used: float
    """When it was used last, in seconds since 1970."""
    why: str = ""
    """Why it goes, where it does."""


def parts_of(store: Store) -> list[Kept]:
    """Give the parts that a store keeps for later merges."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in store.parts.iterdir():
            if _PART.fullmatch(path.name) and not path.is_symlink():
                with suppress(FileNotFoundError):
                    found.append(Kept("part", path, bytes_of(path), path.stat().st_mtime))
    return found


def builds_of(store: Store) -> list[Kept]:
    """Give the builds that were replaced and are kept."""
    return [
        Kept("build", build.folder, bytes_of(build.folder), build.replaced)
        for kind in KINDS
        for build in store.builds.kept(kind)
    ]


def bytes_of(path: Path) -> int:
    """Add up the bytes of a folder's files; links count for nothing."""
    total = 0
    for root, _folders, files in os.walk(path):
        for name in files:
            with suppress(FileNotFoundError):
                total += os.lstat(Path(root, name)).st_size
    return total


def takes(store: Store, cache: Path | None) -> dict[str, int]:
    """Tell how many bytes each takes: current and kept builds, parts, staging, a cache of our own.

    `allowed` is what kept builds and parts may take together.
    """
    return {
        "current": sum(bytes_of(store.folder(kind)) for kind in KINDS if store.exists(kind)),
        "kept": sum(each.bytes for each in builds_of(store)),
        "parts": sum(each.bytes for each in parts_of(store)),
        "staging": bytes_of(store.staging),
        "cache": bytes_of(cache) if cache is not None else 0,
        "allowed": _allowed(store),
    }


def beyond_share(store: Store) -> Iterator[Kept]:
    """Give what must go, the longest unused first, so that the rest takes no more than it may.

    Never what somebody works with.
    """
    found = sorted([*builds_of(store), *parts_of(store)], key=lambda each: each.used)
    total, allowed, held = sum(each.bytes for each in found), _allowed(store), store.pins.held()
    for each in found:
        if total <= allowed:
            return
        if each.path.name not in held:
            total -= each.bytes
            yield Kept(*_facts(each), "beyond MINDCORPUS_DISK_SHARE, and unused for longest")


def unused_parts(store: Store, days: float) -> Iterator[Kept]:
    """Give the parts that nobody used for some days, nor uses now."""
    held = store.pins.held()
    for each in parts_of(store):
        if each.used < time.time() - days * 86400 and each.path.name not in held:
            yield Kept(*_facts(each), f"unused for {days:g} days")


def clean(store: Store, *, dry_run: bool) -> list[Kept]:
    """Remove left-overs, and kept builds and parts beyond what the settings allow.

    Gives what went, or what would, and why. Never what is current, nor what somebody works with.
    Raises `StorageError`.
    """
    if not store.staging.is_dir():
        return []  # nothing was ever made here
    with store.locked():
        found = [*_left_over(store), *_beyond(store)]
    if found and not dry_run:
        store.sweep()
        remove(store, lambda: _beyond(store))
        return [each for each in found if not each.path.exists()]
    return found


def _left_over(store: Store) -> Iterator[Kept]:
    for path in left_behind(store.staging):
        why = "left behind by a process that died"
        yield Kept("left-over", path, bytes_of(path), path.stat().st_mtime, why)
    for path in store.builds.unwanted(store.pins.held()):
        yield Kept("left-over", path, bytes_of(path), path.stat().st_mtime, "kept by nobody")


def _beyond(store: Store) -> list[Kept]:
    held = store.pins.held()
    surplus = [
        Kept("build", each.folder, bytes_of(each.folder), each.replaced, "")
        for kind in KINDS
        for each in store.surplus(kind)
        if each.id not in held
    ]
    known = {each.path for each in surplus}
    found = [Kept(*_facts(each), "beyond MINDCORPUS_KEEP_BUILDS") for each in surplus]
    return [*found, *(each for each in _parts_and_builds(store) if each.path not in known)]


def remove(store: Store, choose: Chooser) -> int:
    """Remove what is chosen, once nobody publishes or begins to use parts; gives how many."""
    if not any(True for _ in choose()):
        return 0
    removed = 0
    with store.stage("clean") as staging, store.locked():
        # Once more: waiting for the lock may have taken long.
        chosen = [*choose()]
        for each in chosen:
            if each.what == "build":
                # First: whoever reads it from now on has looked whether it is kept before.
                store.builds.give_up(each.path.name)
        held = store.pins.held()
        for each in chosen:
            if each.path.name not in held:
                with suppress(FileNotFoundError):
                    # Out of sight first: nobody finds half of it.
                    each.path.rename(staging.output / each.path.name)
                    removed += 1
    return removed


def keep_to_share(store: Store) -> None:
    """Remove what is kept beyond its days, or its share of the disk.

    That it cannot be removed fails nobody's work.
    """
    with suppress(StorageError):
        remove(store, lambda: _parts_and_builds(store))


def _parts_and_builds(store: Store) -> list[Kept]:
    """Give parts that were not used for days, and what is beyond the share of the disk."""
    unused = list(unused_parts(store, store.parts_days))
    gone = {each.path for each in unused}
    return [*unused, *(each for each in beyond_share(store) if each.path not in gone)]


def make_room(store: Store, size: int) -> bool:
    """Have so many bytes free on the disk, parts that nobody uses going for it, and say whether.

    The longest unused go first, and none where there is room.
    """
    if _free(store) >= size:
        return True
    # One after the other: what a file system gives back for a part is for it to say.
    for each in sorted(parts_of(store), key=lambda part: part.used):
        with suppress(StorageError):
            remove(store, lambda one=each: [one])  # type: ignore[misc]
        if _free(store) >= size:
            return True
    return False


def _free(store: Store) -> int:
    return shutil.disk_usage(store.data_dir).free


def _allowed(store: Store) -> int:
    home = store.data_dir
    while not home.is_dir():
        home = home.parent
    return int(shutil.disk_usage(home).total * store.disk_share)


def _facts(each: Kept) -> tuple[Literal["build", "part", "left-over"], Path, int, float]:
    return each.what, each.path, each.bytes, each.used
