"""Which records of a corpus are kin: the same answer with another rejected one, the same opening.

Neither is left out of the corpus for it; formats and splits look at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from mindcorpus.corpus.row_facts import Numbers, none_of
from mindcorpus.corpus.verdicts import read_slice


@dataclass(frozen=True)
class Kin:
    """For each record, the first one that is its kin if that is another, else -1.

    Arrays have shape (records,); records that are left out have no kin.
    """

    answer: Numbers
    """The one that holds the same, but for the rejected side."""
    opening: Numbers
    """The one whose first turns of user and assistant are the same."""

    @classmethod
    def none(cls, count: int) -> Self:
        """Give those of records none of which has any."""
        return cls(none_of(count), none_of(count))

    def save(self, folder: Path) -> SavedKin:
        """Write the arrays into a folder, for processes that read them."""
        np.save(folder / "same-answer.npy", self.answer)
        np.save(folder / "same-opening.npy", self.opening)
        return SavedKin(folder / "same-answer.npy", folder / "same-opening.npy")


@dataclass(frozen=True)
class SavedKin:
    """Kin as they travel to another process."""

    answer: Path
    opening: Path

    def of(self, first: int, last: int) -> Kin:
        """Read those of some records."""
        return Kin(read_slice(self.answer, first, last), read_slice(self.opening, first, last))
