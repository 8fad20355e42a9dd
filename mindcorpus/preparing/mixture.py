"""What is told of a selection: its counts and its proof; who dominates it, and what mends that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mindcorpus.command_words import in_commands
from mindcorpus.preparing.part_lengths import PartLengths
from mindcorpus.preparing.selection import Selection
from mindcorpus.remedies import Cap, MixLess, PrepareWithout, Remedy
from mindcorpus.tokens.tokenizer import Tokenizer
from mindcorpus.warning import DataWarning

# A mixture is warned about when more than half of its rows come from one source, or are one word.
_DOMINANT = 0.5


@dataclass(frozen=True)
class Choice:
    """What is to be told of a selection, without its arrays."""

    count: int
    skipped: dict[str, int]
    sources: dict[str, dict[str, Any]]
    repeats: dict[str, int]
    warnings: list[DataWarning]
    proof: dict[str, Any]
    tokenizer: Tokenizer
    lengths: PartLengths
    """How long the records are, in tokens."""


def describe_choice(
    selection: Selection, proof: dict[str, Any], tokenizer: Tokenizer, lengths: PartLengths
) -> Choice:
    """Give what a format's manifest tells of a selection."""
    return Choice(
        selection.count,
        selection.skipped,
        selection.sources,
        selection.repeats,
        mixture_warnings(selection),
        proof,
        tokenizer,
        lengths,
    )


def mixture_warnings(selection: Selection) -> list[DataWarning]:
    """Say when one source or one-word answers dominate the rows, and what mends it."""
    rows, total = selection.rows, selection.count
    warnings = []
    source, times = rows.source, selection.times
    counts = np.bincount(source, times, len(rows.names)).astype(np.int64).tolist()
    kept = dict(zip(rows.names, counts, strict=True))
    top = max(kept, key=lambda name: kept[name])
    others = total - kept[top]
    if others and kept[top] > _DOMINANT * total:
        # A cap counts records, not how often a mixture has them.
        less: Remedy = MixLess(top) if top in selection.repeats else Cap(top, others)
        text = f"{top} is {kept[top] / total:.0%} of the rows."
        warnings.append(DataWarning("dominant-source", text, in_commands(less)))
    short = source[(terse := rows.response_words == 1)].repeat(times[terse])
    if len(short) > _DOMINANT * total:
        givers = np.bincount(short)
        giver = rows.names[int(givers.argmax())]
        mend = _mend_short(giver, total - kept[giver], len(short) - int(givers.max()))
        if giver in selection.repeats:
            mend = in_commands(MixLess(giver))
        text = (
            f"{len(short) / total:.0%} of the answers are one word, most of them from {giver}; "
            "a model learns to answer so."
        )
        warnings.append(DataWarning("one-word-answers", text, mend))
    return warnings


def _mend_short(giver: str, others: int, short: int) -> str:
    """Say what brings one-word answers down to half; `short` of the others' are one word too."""
    # Should the sample be one-word answers alone, they and the others' are still half of all.
    cap = others - 2 * short
    if cap > 0:
        return in_commands(Cap(giver, cap))
    if others and cap == 0:
        return in_commands(PrepareWithout(giver))
    return "Merge sources with longer answers as well."
