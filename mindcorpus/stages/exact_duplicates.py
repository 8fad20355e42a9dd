"""Records that are the same: by their 128-bit keys alone, in bounded memory, whatever the number.

The first record with a key, in the order of the catalogue, stays; each later one is told which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mindcorpus.corpus.row_facts import Numbers
from mindcorpus.corpus.verdicts import Reason, Verdicts
from mindcorpus.stages.base import Indexes
from mindcorpus.storage.row_counts import DUPLICATE


@dataclass(frozen=True)
class ExactDuplicates:
    """Leaves out every record whose folded input and response an earlier one has as well."""

    needs: ClassVar[tuple[str, ...]] = ("key",)

    def judge(self, indexes: Indexes, verdicts: Verdicts) -> Verdicts:
        """Leave out the later ones of each key."""
        twins = find_duplicates(indexes, verdicts)
        records = np.flatnonzero(twins >= 0)
        reason = Reason(DUPLICATE, stands="the same as corpus row {row}")
        return verdicts.leave_out(records, reason, twins[records])


def find_duplicates(indexes: Indexes, verdicts: Verdicts) -> Numbers:
    """For each record, the number of the first one with the same key if that is another, else -1.

    Only records that stay so far are looked at. Shape (records,); 8 bytes a record.
    """
    twins = np.full(indexes.count, -1, np.int64)
    stays = verdicts.stays
    some_left = not stays.all()
    for keys, numbers in indexes.partitions("key"):
        if some_left:
            keys, numbers = keys[stays[numbers]], numbers[stays[numbers]]  # noqa: PLW2901
        order = np.lexsort((numbers, keys[:, 1], keys[:, 0]))
        ordered, records = keys[order], numbers[order]
        same = np.zeros(len(records), bool)
        same[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
        # Each run of equal keys points at its first record.
        starts = np.maximum.accumulate(np.where(same, 0, np.arange(len(records))))
        twins[records[same]] = records[starts[same]]
    return twins


STAGE = ExactDuplicates
