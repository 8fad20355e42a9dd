"""The page of the training formats: what each is for, holds today, how it is loaded, its files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mindcorpus.errors import CorruptArtifactError
from mindcorpus.preparing.offer import Offer, offers
from mindcorpus.preparing.offer_words import read_by
from mindcorpus.storage.status import base_of
from mindcorpus.storage.store import Store
from web.api.offering import held_today
from web.pages.blueprint import pages, show
from web.pages.overview import shelf_of
from web.services import services

if TYPE_CHECKING:
    from flask import Response

#: What formats are for, in words.
TASKS = {"fine-tuning": "Fine-tuning", "preference": "Preference pairs", "annotation": "Annotation"}


def offered(store: Store) -> list[Offer]:
    """List the formats; what they would hold is not known of a corpus that is damaged."""
    try:
        held = held_today(store)
    except CorruptArtifactError:  # the overview tells of it
        held = None
    return offers(store, held)


def by_task(found: Sequence[Offer]) -> dict[str, list[Offer]]:
    """Group formats by what they are for, in words."""
    groups: dict[str, list[Offer]] = {}
    for offer in found:
        groups.setdefault(TASKS.get(offer.task, offer.task), []).append(offer)
    return groups


@pages.get("/formats")
def formats() -> Response:
    """Show them."""
    store = Store(services().settings.data_dir)
    found = offered(store)
    base = base_of(store)
    shelves = {each.name: shelf_of(store, each.name, each.title, base) for each in found}
    return show(
        "formats.html",
        groups=by_task(found),
        shelves=shelves,
        readers={each.name: read_by(each.as_dict()) for each in found},
        corpus=store.corpus_exists(),
    )
