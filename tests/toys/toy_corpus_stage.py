"""A corpus stage of a test's own: of the loud ones the first stands for all, by another's facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mindcorpus.corpus.verdicts import Reason, Verdicts
from mindcorpus.stages.base import Indexes


@dataclass(frozen=True)
class OneLoud:
    needs: ClassVar[tuple[str, ...]] = ("bangs",)

    def judge(self, indexes: Indexes, verdicts: Verdicts) -> Verdicts:
        loud = np.flatnonzero(verdicts.stays & (indexes.column("bangs", np.int32) > 0))
        others = loud[1:]
        reason = Reason("as-loud", stands="as loud as corpus row {row}")
        return verdicts.leave_out(others, reason, np.full(len(others), loud[0] if len(loud) else 0))


STAGE = OneLoud
