"""The head of a dataset card: YAML by which the hub files it, and by which `datasets` loads it.

What it may say stands in github.com/huggingface/hub-docs, datasetcard.md; here it is what the
manifest knows, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mindcorpus.storage.licences import kept, licence_head

#: The hub's sizes: up to so many rows, and its word for them.
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
#: What YAML takes for the text that it is, without quotes.
_PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z][\w./-]*", re.IGNORECASE)


def card_head(manifest: Mapping[str, Any], title: str) -> list[str]:
    """Give the lines of a card's head, the marks around it included."""
    sources = kept(manifest)
    size = next((word for rows, word in _SIZES if manifest["rows"] < rows), "n>1B")
    head = {
        "pretty_name": title,
        "language": sorted({each for source in sources for each in source.get("language", ())}),
        **licence_head(sources),
        "size_categories": [size],
        "task_categories": ["text-generation"],
        "source_datasets": [
            source["origin"] for source in sources if _REPOSITORY.fullmatch(source["origin"])
        ],
        "tags": ["mental-health", "conversational"],
        "configs": list(manifest.get("configs", ())),
    }
    said = {key: value for key, value in head.items() if value}
    return ["---", *_block(said), "---"]


def _block(values: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, value in values.items():
        if isinstance(value, str):
            lines.append(f"{key}: {_scalar(value)}")
        else:
            lines += [f"{key}:", *(line for item in value for line in _item(item))]
    return lines


def _item(item: Any) -> list[str]:
    if isinstance(item, str):
        return [f"- {_scalar(item)}"]
    first, *rest = _block(item)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
