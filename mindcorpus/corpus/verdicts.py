"""What was decided of every record: it stays, or is left out for a reason, some with a twin."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mindcorpus.corpus.row_facts import Flags, Numbers, none_of

Codes16 = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Reason:
    """Why records are left out, and in which words that is told: a place or a count, no text."""

    name: str
    stands: str = ""
    """Evidence where another record stands for it, with `{row}` for that one's corpus row."""
    alone: str = ""
    """Evidence where none does."""


@dataclass(frozen=True)
class Verdicts:
    """What all stages say of all records; arrays have shape (records,)."""

    code: Codes16
    """0 for a record that stays, else 1 + the index of its reason."""
    twin: Numbers
    """The record that stands for it, or -1."""
    reasons: tuple[Reason, ...] = field(default=())

    @classmethod
    def none(cls, count: int) -> Self:
        """Give those of records of which nothing was said."""
        return cls(np.zeros(count, np.int16), none_of(count))

    @property
    def stays(self) -> Flags:
        """Which records stay."""
        stays: Flags = self.code == 0
        return stays

    def leave_out(self, records: Numbers, reason: Reason, twins: Numbers | None = None) -> Self:
        """Give the verdicts with these records left out too; one that is already keeps its reason.

        `twins` are the records that stand for them, one each.
        """
        new = self.code[records] == 0
        code, twin = self.code.copy(), self.twin
        code[records[new]] = len(self.reasons) + 1
        if twins is not None:
            twin = twin.copy()
            twin[records[new]] = twins[new]
        return type(self)(code, twin, (*self.reasons, reason))

    def save(self, folder: Path) -> SavedVerdicts:
        """Write the arrays into a folder, for processes that read them."""
        np.save(folder / "code.npy", self.code)
        np.save(folder / "twin.npy", self.twin)
        return SavedVerdicts(folder / "code.npy", folder / "twin.npy", self.reasons)


@dataclass(frozen=True)
class SavedVerdicts:
    """Verdicts as they travel to another process."""

    code: Path
    twin: Path
    reasons: tuple[Reason, ...]

    def of(self, first: int, last: int) -> Verdicts:
        """Read those of some records; their twins are numbered over all, as ever."""
        return Verdicts(
            read_slice(self.code, first, last), read_slice(self.twin, first, last), self.reasons
        )


def read_slice(path: Path, first: int, last: int) -> npt.NDArray[Any]:
    """Read some values of an array that was saved: no more of it comes into memory."""
    return np.array(np.load(path, mmap_mode="r")[first:last])
