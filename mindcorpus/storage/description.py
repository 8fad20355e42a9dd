"""What lies beside an artifact's data: licences, Croissant, card, and last of all the manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mindcorpus.storage.croissant import write_croissant
from mindcorpus.storage.kinds import CARD
from mindcorpus.storage.licences import LICENCES, licence_text
from mindcorpus.storage.manifest import describe, write_manifest, write_text


def write_description(
    folder: Path, manifest: dict[str, Any], card_of: Callable[[dict[str, Any]], str]
) -> None:
    """Write them into a folder, each listed in the manifest's outputs, and the manifest itself.

    `card_of` writes the card of a manifest that lists all but the card.
    """
    licences = write_text(folder / LICENCES, licence_text(manifest))
    manifest["outputs"] += describe([licences], folder)
    manifest["outputs"] += describe([write_croissant(folder, manifest)], folder)
    card = write_text(folder / CARD, card_of(manifest))
    manifest["outputs"] += describe([card], folder)
    write_manifest(folder, manifest)
