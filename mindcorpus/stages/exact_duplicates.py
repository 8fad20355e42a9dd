"""Records that are the same: by their 128-bit keys alone, in bounded memory, whatever the number.

The first record with a key, in the order of the catalogue, stays; each later one is told which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mindcorpus.corpus.verdicts import Reason, Verdicts
from mindcorpus.stages.base import Indexes, find_firsts
from mindcorpus.storage.row_counts import DUPLICATE


@dataclass(frozen=True)
class ExactDuplicates:
    """Leaves out every record that says what an earlier one does, folded.

    What is compared follows its kind: all turns of a conversation, prompt and both answers of a
    preference pair, input and response of any other.
    """

    needs: ClassVar[tuple[str, ...]] = ("key",)

    def judge(self, indexes: Indexes, verdicts: Verdicts) -> Verdicts:
        """Leave out the later ones of each key."""
        twins = find_firsts(indexes, verdicts.stays, ("key",))
        records = np.flatnonzero(twins >= 0)
        reason = Reason(DUPLICATE, stands="the same as corpus row {row}")
        return verdicts.leave_out(records, reason, twins[records])


STAGE = ExactDuplicates
