"""What terminals and pages tell of a format: who reads it, and how long its records are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PROOFS = {
    "loader": "tested with their own loaders",
    "schema": "tested with a schema of the provider's page",
    "none": "not tested here",
}


def read_by(offer: Mapping[str, Any]) -> str:
    """Say who reads a format, and how that was tested; "" where nobody is named."""
    told, proof = [], offer["proof"]
    if readers := offer["readers"]:
        told.append(f"Read by {', '.join(readers)} ({_PROOFS[proof]}).")
    # A service of an earlier release tells of readers alone.
    if others := offer.get("others"):
        also = "also " if readers else ""
        tested = _PROOFS["schema"] if proof == "schema" else "not tested with them"
        told.append(f"By what they publish, {also}for {', '.join(others)} ({tested}).")
    return " ".join(told)


def lengths_told(tokens: Mapping[str, Any] | None) -> str:
    """Say how long records are, by a manifest's `tokens`; "" where it does not tell."""
    # An artifact of an earlier release, and a service of one, tells of no tokens.
    if not tokens or not tokens["lengths"]:
        return ""
    of_all = tokens["lengths"]["all"]
    by = f"by {tokens['tokenizer']}" if tokens["exact"] else "an estimate"
    return (
        f"In tokens ({by}): mean {of_all['mean']:,.0f}, half at most {of_all['p50']:,}, "
        f"95 % at most {of_all['p95']:,}, longest {of_all['max']:,}, all {of_all['total']:,}."
    )
