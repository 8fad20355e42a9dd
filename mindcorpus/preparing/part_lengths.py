"""How long the records of an export are, in tokens, by part and by source."""

from __future__ import annotations

from typing import Any

from mindcorpus.formats.base import PARTS
from mindcorpus.tokens.lengths import LengthSummary
from mindcorpus.tokens.tokenizer import Tokenizer


class PartLengths:
    """Lengths by part; those of all parts together are told by source."""

    def __init__(self) -> None:
        """Begin empty."""
        self.by_part = {part: LengthSummary() for part in PARTS}

    def update(self, other: PartLengths) -> None:
        """Add others."""
        for part, lengths in other.by_part.items():
            self.by_part[part].update(lengths)

    def as_dict(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """Give `tokenizer`, `exact`, `lengths` of all and of each source, and `parts`: of each."""
        whole = LengthSummary()
        for lengths in self.by_part.values():
            whole.update(lengths)
        parts = {part: each.as_dict(tokenizer)["lengths"] for part, each in self.by_part.items()}
        return {
            **whole.as_dict(tokenizer),
            "parts": {part: lengths["all"] for part, lengths in parts.items() if lengths},
        }
