"""What was read: all parts in catalogue order, the files they came from, and what failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mindcorpus.corpus.lineage import PartOrigin
from mindcorpus.errors import DataError, MindcorpusError
from mindcorpus.merging.parts import Part
from mindcorpus.sources.budgets import Budgets
from mindcorpus.sources.catalog import Catalog, Source
from mindcorpus.sources.files import Fetched, FetchedFile

FileParts = tuple[FetchedFile, Sequence[Part]]
"""A file that was read, its checksum known, and its parts in order."""


class PartSet:
    """The parts of a merge, source by source, as they were accepted."""

    def __init__(self, catalog: Catalog, budgets: Budgets) -> None:
        self._catalog = catalog
        self.budgets = budgets
        self.origins: list[PartOrigin] = []
        self.parts: list[Part] = []
        self.inputs: dict[str, Fetched] = {}
        """The sources that were read, with the checksums of their files."""
        self.layouts: dict[str, dict[str, Any]] = {}
        """For each of them, by file, the layout that was seen and not said."""
        self.failures: dict[str, MindcorpusError] = {}

    def fail(self, source: str, error: MindcorpusError) -> None:
        """Note why a source gave nothing; its first failure counts."""
        error.source = error.source or source
        self.failures.setdefault(source, error)

    def accept(self, fetched: Fetched, files: Sequence[FileParts]) -> None:
        """Take all parts of a source; one that keeps no record fails instead, as one over a budget.

        Raises `DataError` if all sources together decode to more than a merge may.
        """
        source = self._catalog[fetched.source]
        try:
            for file, of_file in files:
                self.budgets.check_file(file.path, file.size, [part.spent for part in of_file])
        except DataError as error:
            self.fail(source.name, error)
            return
        parts = [part for _, of_file in files for part in of_file]
        if not any(part.kept for part in parts):
            self.fail(source.name, _nothing_kept(source, parts))
            return
        for file, of_file in files:
            first_row = 0
            for part in of_file:
                self.origins.append(
                    PartOrigin(
                        index=part.index,
                        kept=part.kept,
                        source=source.name,
                        type=source.type,
                        file=file.path,
                        revision=fetched.revision or fetched.origin,
                        licence=source.licence.id,
                        first_row=first_row,
                    )
                )
                self.parts.append(part)
                first_row += part.rows
        self.inputs[source.name] = fetched
        self.layouts[source.name] = {
            file.path: json.loads(of_file[0].layout)
            for file, of_file in files
            if of_file and of_file[0].layout
        }
        self.budgets.check_job(sum(part.spent for part in self.parts))


def _nothing_kept(source: Source, parts: Sequence[Part]) -> DataError:
    rows_read = sum(part.rows_read for part in parts)
    first = next((part.first_drop for part in parts if part.first_drop), None)
    if first is None:
        return DataError("the files hold no rows", source=source.name)
    evidence = f": {first.evidence}" if first.evidence else ""
    return DataError(
        f"none of its {rows_read} rows gives a record; the first: {first.reason}{evidence}",
        source=source.name,
        row=first.number,
        hint="Check that the file is the source's, and the columns its catalogue entry names.",
    )
