"""A record stage of a test's own: it counts exclamation marks, and acts on them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from mindcorpus.stages.base import Record, Verdict


@dataclass(frozen=True)
class Bangs:
    most: int = 1

    def apply(self, record: Record) -> tuple[Record, Verdict]:
        bangs = record.input.count("!")
        if bangs > self.most:
            return record, Verdict(drop="too-loud", evidence=f"{bangs} exclamation marks")
        if not bangs:
            return record, Verdict(facts=(0,))
        louder = record._replace(input=f"{record.input} \N{BELL}")
        changed = ("bell-added", "made-loud")
        return louder, Verdict(changed=changed, tags=("loud",), facts=(bangs,))

    def facts(self) -> pa.Schema:
        return pa.schema([("bangs", pa.int32())])


STAGE = Bangs
