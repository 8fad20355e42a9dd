"""Budgets on what files decode to: a kilobyte of Parquet may stand for gigabytes.

A file's size bounds what it may decode to, and so do settings; what a whole merge decodes and
writes has a budget of its own. All is counted while it is decoded, never taken from what a file
says of itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mindcorpus.errors import DataError
from mindcorpus.remedies import ChooseSources, LeaveOut

if TYPE_CHECKING:
    from mindcorpus.settings import Settings

#: Every file may decode to so much, however small it is.
LEAST_BYTES = 256 * 1024 * 1024
#: What a row counts beside what it holds: so much it takes on its way into an index.
ROW_BYTES = 256
_GIB = 1024**3


@dataclass(frozen=True)
class Budget:
    """The bytes that something may come to, and the setting that says so."""

    bytes: int
    setting: str

    def exceeded(self, what: str, file: str | None = None) -> DataError:
        """Give the error for what came to more."""
        return DataError(
            f"{what} comes to more than its budget of {self.bytes / 1024**2:,.0f} MiB",
            file=file,
            hint=f"If that is meant, raise MINDCORPUS_{self.setting.upper()}, or",
            remedy=LeaveOut() if file else ChooseSources(),
        )


@dataclass(frozen=True)
class Budgets:
    """The budgets of a merge, as its settings say."""

    file_bytes: int
    expansion: int
    job_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Budgets:
        """Give the budgets that settings name."""
        return cls(
            int(settings.file_limit_gb * _GIB),
            settings.expansion_limit,
            int(settings.job_limit_gb * _GIB),
        )

    def of_file(self, size: int) -> Budget:
        """Give the budget of a file of some bytes."""
        by_size = max(LEAST_BYTES, self.expansion * size)
        if by_size < self.file_bytes:
            return Budget(by_size, "expansion_limit")
        return Budget(self.file_bytes, "file_limit_gb")

    def of_shard(self, size: int, shards: int) -> Budget:
        """Give the budget of one of a file's shards: its share, and as shares differ, more.

        So a file of many shards is stopped long before each of them has spent the whole of it.
        """
        whole = self.of_file(size)
        return Budget(min(whole.bytes, 4 * whole.bytes // shards), whole.setting)

    def check_file(self, file: str, size: int, spent: Iterable[int]) -> None:
        """Raise `DataError` if a file's shards came to more than it may."""
        budget = self.of_file(size)
        if sum(spent) > budget.bytes:
            raise budget.exceeded("what the file decodes to", file)

    def check_job(self, spent: int, what: str = "what the sources decode to") -> None:
        """Raise `DataError` if a merge came to more than it may."""
        if spent > self.job_bytes:
            raise Budget(self.job_bytes, "job_limit_gb").exceeded(what)


class Meter:
    """Counts what a shard decodes to, and what its records take, while it is read."""

    def __init__(self, budget: Budget, file: str) -> None:
        self._budget = budget
        self._file = file
        self._decoded = self._given = 0

    @property
    def spent(self) -> int:
        """What was decoded, or what the records of it take, if that is more."""
        return max(self._decoded, self._given)

    def decoded(self, size: int) -> None:
        """Count bytes that were decoded; raises `DataError` beyond the budget."""
        self._decoded += size
        if self._decoded > self._budget.bytes:
            raise self._budget.exceeded("what the file decodes to", self._file)

    def given(self, size: int) -> None:
        """Count bytes of records, of which many may be made of one text; raises as `decoded`."""
        self._given += size
        if self._given > self._budget.bytes:
            raise self._budget.exceeded("what is made of the file", self._file)
