"""What was merged, to `sources.lock`."""

from __future__ import annotations

from collections.abc import Iterable

from mindcorpus.sources.fetching import LOCK, lock_of
from mindcorpus.sources.files import Fetched
from mindcorpus.sources.lock import SourcesLock
from mindcorpus.storage.store import Store


def write_locks(fetched: Iterable[Fetched], store: Store, *, new_only: bool) -> None:
    """Write which commits and files were merged into `sources.lock`, and what was guessed of them.

    `new_only` changes nothing of what stands there.
    """
    fetched = list(fetched)
    encodings = {
        file.sha256: file.guessed for each in fetched for file in each.files if file.guessed
    }
    entries = {
        each.source: entry
        for each in fetched
        if all(file.sha256 for file in each.files) and (entry := lock_of(each))
    }
    path = store.data_dir / LOCK
    with store.locked():
        # Read anew: another merge may have locked other sources meanwhile.
        lock = SourcesLock.read(path)
        entries = {
            name: entry
            for name, entry in entries.items()
            if not (new_only and name in lock.sources) and lock.sources.get(name) != entry
        }
        if entries or not encodings.items() <= lock.encodings.items():
            lock.with_sources(entries, encodings).write(path)
            store.close(path)
