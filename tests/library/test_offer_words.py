"""What is told of a format on offer: who reads it, and how long its records are."""

from __future__ import annotations

from typing import Any

import pytest

from mindcorpus.preparing.offer_words import lengths_told, read_by


@pytest.mark.parametrize(
    ("offer", "told"),
    [
        ({"readers": ["TRL"], "proof": "loader"}, "Read by TRL (tested with their own loaders)."),
        (
            {"readers": ["Together"], "others": ["OpenAI", "Azure"], "proof": "loader"},
            (
                "Read by Together (tested with their own loaders). "
                "By what they publish, also for OpenAI, Azure (not tested with them)."
            ),
        ),
        (
            {"readers": [], "others": ["Vertex AI"], "proof": "schema"},
            "By what they publish, for Vertex AI (tested with a schema of the provider's page).",
        ),
        ({"readers": ["Mine"], "others": [], "proof": "none"}, "Read by Mine (not tested here)."),
        ({"readers": [], "others": [], "proof": "none"}, ""),
    ],
)
def test_who_reads_is_told_apart_from_who_is_said_to(offer: dict[str, Any], told: str) -> None:
    assert read_by(offer) == told


def test_an_estimate_of_lengths_is_called_one() -> None:
    whole = {"rows": 1500, "mean": 10.5, "p50": 9, "p95": 1200, "max": 4000, "total": 15750}
    tokens = {"tokenizer": "estimate", "exact": False, "lengths": {"all": whole}}
    assert lengths_told(tokens) == (
        "In tokens (an estimate): mean 10, half at most 9, 95 % at most 1,200, longest 4,000, "
        "all 15,750."
    )
    exact = {**tokens, "tokenizer": "o200k", "exact": True}
    assert lengths_told(exact).startswith("In tokens (by o200k): mean 10, ")
    assert lengths_told({**tokens, "lengths": {}}) == lengths_told(None) == ""
