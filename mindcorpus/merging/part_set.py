"""What was read: all parts in catalogue order, the files they came from, and what failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mindcorpus.corpus.lineage import PartOrigin
from mindcorpus.errors import DataError, MindcorpusError
from mindcorpus.merging.loss import Loss, LossPolicy
from mindcorpus.merging.parts import Part
from mindcorpus.sources.budgets import Budgets
from mindcorpus.sources.catalog import Catalog, Source
from mindcorpus.sources.files import Fetched, FetchedFile

FileParts = tuple[FetchedFile, Sequence[Part]]
"""A file that was read, its checksum known, and its parts in order."""


class PartSet:
    """The parts of a merge, source by source, as they were accepted."""

    def __init__(self, catalog: Catalog, budgets: Budgets, losses: LossPolicy) -> None:
        self._catalog = catalog
        self._policy = losses
        self.budgets = budgets
        self.origins: list[PartOrigin] = []
        self.parts: list[Part] = []
        self.inputs: dict[str, Fetched] = {}
        """The sources that were read, with the checksums of their files."""
        self.layouts: dict[str, dict[str, Any]] = {}
        """For each of them, by file, the layout that was seen and not said."""
        self.losses: dict[str, Loss] = {}
        """What each of them lost."""
        self.failures: dict[str, MindcorpusError] = {}

    def fail(self, source: str, error: MindcorpusError) -> None:
        """Note why a source gave nothing; its first failure counts."""
        error.source = error.source or source
        self.failures.setdefault(source, error)

    def accept(self, fetched: Fetched, files: Sequence[FileParts]) -> None:
        """Take all parts of a source; one that lost too much fails instead, as one over a budget.

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
        origins = _origins(source, fetched, files)
        loss = self._policy.loss_of(
            source,
            sum(part.rows_read for part in parts),
            [(origin, part.dropped) for origin, part in zip(origins, parts, strict=True)],
        )
        if not any(part.kept for part in parts):
            self.fail(
                source.name, loss.error_of_all() if loss.rows else _nothing_to_keep(source, loss)
            )
            return
        if loss.share > (limit := self._policy.limit_of(source)):
            self.fail(source.name, loss.error(limit))
            return
        self.origins += origins
        self.parts += parts
        self.inputs[source.name] = fetched
        self.layouts[source.name] = {
            file.path: json.loads(of_file[0].layout)
            for file, of_file in files
            if of_file and of_file[0].layout
        }
        self.losses[source.name] = loss
        self.budgets.check_job(sum(part.spent for part in self.parts))

    def losses_to_tell(self) -> list[Loss]:
        """Give what sources lost where it is so much that it must be said, most of all first."""
        told = [
            loss
            for name, loss in self.losses.items()
            if self._policy.warns(self._catalog[name], loss)
        ]
        return sorted(told, key=lambda loss: (-loss.share, loss.source))


def _origins(source: Source, fetched: Fetched, files: Sequence[FileParts]) -> list[PartOrigin]:
    found: list[PartOrigin] = []
    for file, of_file in files:
        first_row = 0
        for part in of_file:
            found.append(
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
            first_row += part.rows
    return found


def _nothing_to_keep(source: Source, loss: Loss) -> DataError:
    if not loss.read:
        return DataError("the files hold no rows", source=source.name)
    return DataError(
        f"none of its {loss.read:,} rows gives a record: all are left out by design",
        source=source.name,
        hint="Check that the files are the source's, and what its catalogue entry says of them.",
    )
