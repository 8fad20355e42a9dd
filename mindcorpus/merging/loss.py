"""What a source lost: rows that should have become records and did not, and how much is borne.

Rows that an adapter leaves out by design, or a row stage that was asked for, are no loss; nor are
duplicates, for which another record stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mindcorpus.corpus.lineage import PartOrigin
from mindcorpus.errors import TooManyLostError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.parts import Dropped
from mindcorpus.remedies import AllowLoss, with_more
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import ADAPTERS, Source
from mindcorpus.stages.registry import STAGES, names_of
from mindcorpus.warning import DataWarning

# So many reasons are told; the statistics count all of them.
_TOLD = 3
_CHECK = "Check that the files are the source's, and what its catalogue entry says of them."


class LostFor(NamedTuple):
    """Rows that were lost for one reason, and where the first of them is."""

    reason: str
    rows: int
    file: str
    row: int
    item: int
    evidence: str

    @property
    def place(self) -> str:
        """Where the first of them is, in words."""
        return f"{self.file}, row {self.row}" + (f", item {self.item}" if self.item else "")


@dataclass(frozen=True)
class Loss:
    """What a source lost of the rows that were read."""

    source: str
    read: int
    reasons: tuple[LostFor, ...]
    """Most rows first."""

    @property
    def rows(self) -> int:
        """How many rows were lost."""
        return sum(each.rows for each in self.reasons)

    @property
    def share(self) -> float:
        """Of the rows that were read, from 0 to 1."""
        return self.rows / self.read if self.read else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give it as statistics tell it, with the first three reasons and a place of each."""
        told = [
            {name: getattr(each, name) for name in ("reason", "rows", "file", "row", "item")}
            for each in self.reasons[:_TOLD]
        ]
        share = round(self.share, 6)
        return {
            "source": self.source,
            "rows": self.rows,
            "read": self.read,
            "share": share,
            "reasons": told,
        }

    def warning(self) -> DataWarning:
        """Say it: how many rows, for which reasons, where the first of each is."""
        return DataWarning(
            "rows-lost",
            f"{self.source} lost {self.rows:,} of its {self.read:,} rows ({self.share:.1%}): "
            f"{self._why()}.",
            "Look at these rows, mend the files or the catalogue entry, and merge again.",
        )

    def error(self, limit: float) -> TooManyLostError:
        """Give the error of a source that lost more than `limit`."""
        needed = -(-100 * self.rows // self.read)
        return self._error(
            f"{self.rows:,} of its {self.read:,} rows give no record ({self.share:.1%}, more than "
            f"{100 * limit:.3g}%)",
            AllowLoss(self.source, f"{needed / 100:g}"),
        )

    def error_of_all(self) -> TooManyLostError:
        """Give the error of a source that gave no record at all."""
        return self._error(f"none of its {self.read:,} rows gives a record", None)

    def _error(self, title: str, remedy: AllowLoss | None) -> TooManyLostError:
        first = self.reasons[0]
        evidence = f"; {first.reason}: {first.evidence}" if first.evidence else ""
        return TooManyLostError(
            f"{title}: {self._why()}{evidence}",
            source=self.source,
            file=first.file,
            row=first.row,
            hint=_CHECK,
            remedy=remedy,
        )

    def _why(self) -> str:
        told = [
            f"{each.rows:,} × {each.reason} (first: {each.place})" for each in self.reasons[:_TOLD]
        ]
        more = sum(each.rows for each in self.reasons[_TOLD:])
        return ", ".join([*told, *([f"{more:,} for other reasons"] if more else [])])


@dataclass(frozen=True)
class LossPolicy:
    """How much a source may lose: before it is warned about, and before it fails."""

    warning: float
    limit: float
    allowed: Mapping[str, float]
    """Source -> share that who asks for the merge says is meant."""
    meant: frozenset[str]
    """The reasons of the row stages that run: who has them run means it."""

    @classmethod
    def of(cls, request: MergeRequest, settings: Settings) -> LossPolicy:
        """Give what a request and the settings say."""
        meant = {reason for name in names_of(request.stages) for reason in STAGES[name].reasons}
        return cls(
            settings.loss_warning, settings.loss_limit, dict(request.allow_loss), frozenset(meant)
        )

    def loss_of(
        self, source: Source, read: int, parts: Iterable[tuple[PartOrigin, Iterable[Dropped]]]
    ) -> Loss:
        """Add up what a source lost; `parts` are in order, and so is the first row of a reason."""
        meant = self.meant | ADAPTERS[source.adapter].selects
        found: dict[str, LostFor] = {}
        for origin, dropped in parts:
            for (number, reason, evidence, item), rows in dropped:
                known = found.get(reason)
                if known is None:
                    row = origin.first_row + number
                    known = LostFor(reason, 0, origin.file, row, item, evidence)
                found[reason] = known._replace(rows=known.rows + rows)
        lost = [each for each in found.values() if each.reason not in meant]
        return Loss(
            source.name, read, tuple(sorted(lost, key=lambda each: (-each.rows, each.reason)))
        )

    def warns(self, source: Source, loss: Loss) -> bool:
        """Whether a source lost so much that it must be said."""
        return loss.share > _first(source.loss_warning, self.warning)

    def limit_of(self, source: Source) -> float:
        """Give the share that a source may lose at the most."""
        return self.allowed.get(source.name, _first(source.loss_limit, self.limit))


def error_of_several(errors: Sequence[TooManyLostError]) -> TooManyLostError:
    """Give one error for several sources that lost too much, with the remedies of all."""
    first, *others = errors
    if not others:
        return first
    remedy = first.remedy
    for error in others:
        # One that gave nothing at all has none.
        remedy = remedy if error.remedy is None else with_more(remedy, error.remedy)
    told = "; ".join(f"{error.source}: {error.title}" for error in errors)
    return TooManyLostError(told, hint=_CHECK, remedy=remedy)


def _first(own: float | None, usual: float) -> float:
    return usual if own is None else own
