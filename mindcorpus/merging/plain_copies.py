"""What was unpacked, or put into UTF-8, kept beside the parts that are made of it.

A large file is cut into many shards, which many processes read: each would unpack all of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from mindcorpus.errors import storage_errors
from mindcorpus.merging.code_digest import code_digest
from mindcorpus.merging.open_files import PrepareJob, prepare_file
from mindcorpus.sources.budgets import Budgets
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.readers.prepare import Prepared, prepare
from mindcorpus.storage.disk import sync
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.store import Store

_FACTS = "plain.json"
_ROWS = "rows"


class PlainCopies:
    """The copies of one source's files in a data folder's `parts/`."""

    def __init__(
        self,
        store: Store,
        budgets: Budgets,
        source: Source,
        encodings: Mapping[str, str],
        tick: Callable[[int, int], None],
    ) -> None:
        self._store = store
        self._budgets = budgets
        self._source = source
        self._encodings = encodings
        self._tick = tick

    def name(self, file: FetchedFile, encoding: str) -> str:
        """Name a copy by all that shapes it: the file's bytes, how it is read, its encoding, code.

        The name is of the form of a part's: a copy goes when it is not used, as parts do.
        """
        reading = asdict(self._source.reading(file.path))
        del reading["columns"]
        code = code_digest((prepare.__module__,))
        made_of = json.dumps([file.path, file.sha256, reading, encoding, code], sort_keys=True)
        return hashlib.sha256(made_of.encode()).hexdigest()[:32]

    def prepare(self, files: Sequence[FetchedFile]) -> tuple[Prepared, ...]:
        """Make files ready whose checksums are known; raises as `prepare_file` does."""
        found: list[Prepared] = []
        spent = 0
        for file in files:
            known = self._known(file)
            if known is None:
                with self._store.stage("part") as staging:
                    known = self._make(file, staging)
            found.append(known)
            spent += known.spent
            self._budgets.check_job(spent, "what the sources unpack to")
        return tuple(found)

    def path(self, file: FetchedFile, prepared: Prepared) -> Path:
        """Give where a copy lies, made again if it is gone; raises as `prepare_file` does."""
        folder = self._store.parts / self.name(file, prepared.encoding)
        if not (folder / _FACTS).is_file():
            with self._store.stage("part") as staging:
                self._make(file, staging)
        return folder / _ROWS

    def _known(self, file: FetchedFile) -> Prepared | None:
        """Give what is known of a file that was copied before; None if nothing is."""
        said = self._source.reading(file.path).encoding
        encoding = said or self._encodings.get(file.sha256, "utf-8")
        folder = self._store.parts / self.name(file, encoding)
        try:
            facts = json.loads((folder / _FACTS).read_bytes())
            os.utime(folder)
        except FileNotFoundError:
            return None
        return Prepared(**facts)

    def _make(self, file: FetchedFile, staging: Staging) -> Prepared:
        with storage_errors(self._store.data_dir):
            output = staging.output
            budget = self._budgets.of_file(file.size)
            job = PrepareJob(self._source, file, budget, output / _ROWS, self._encodings)
            prepared = prepare_file(job, self._tick)
            if prepared.copied:
                (output / _FACTS).write_text(json.dumps(asdict(prepared)))
                self._store.close(output)
                for path in (*output.iterdir(), output):
                    sync(path)
                self._store.make_folder(self._store.parts)
                folder = self._store.parts / self.name(file, prepared.encoding)
                try:
                    output.rename(folder)
                except OSError:
                    if not (folder / _FACTS).is_file():  # else somebody was faster
                        raise
                sync(self._store.parts)
        return prepared
