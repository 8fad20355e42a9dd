"""The catalogue that a service merges: the project's, the operator's, and what was added since."""

from __future__ import annotations

from typing import Any

from mindcorpus.errors import CatalogError
from mindcorpus.inspection.entries import entry_text
from mindcorpus.sources.added import Added, read_added, write_added
from mindcorpus.sources.catalog import Catalog, Source
from web.errors import SourceUnfitError
from web.settings import WebSettings
from web.sources.allowed import Wanted
from web.sources.inspecting import Looked


def known(settings: WebSettings) -> tuple[Catalog, Added]:
    """Give the catalogue, and those of it that were added; raises `CatalogError`."""
    added = read_added(settings.data_dir)
    return added.catalog(settings.catalogs), added


def add(looked: Looked, settings: WebSettings, *, replace: bool) -> Source:
    """Add what was looked at to the catalogue.

    Raises `SourceUnfitError` where no layout is known or the name is taken, `ExistsError`, and
    `StorageError`.
    """
    source = looked.source
    if source is None:
        raise SourceUnfitError(
            "it has no layout that is known",
            hint="Write its entry by hand: docs/sources.md shows one of each kind.",
        )
    catalog, added = known(settings)
    if source.name in catalog.names and source.name not in added.sources:
        raise SourceUnfitError(
            f"the name {source.name} is taken",
            field="name",
            hint="Give it another one.",
        )
    try:
        write_added(source, entry_text(source), settings, replace=replace)
    except CatalogError as error:
        raise SourceUnfitError(error.title, hint=error.hint, field="name") from None
    return source


def as_told(looked: Looked, wanted: Wanted, *, texts: bool) -> dict[str, Any]:
    """Give what was found out without what is not for who asks: our paths; texts of records."""
    found = dict(looked.found)
    if looked.source is not None and wanted.path is not None:
        found["entry"] = entry_text(looked.source.model_copy(update={"path": wanted.path}))
    if not texts and found["preview"] is not None:
        found["preview"] = {**found["preview"], "records": None}
    return found
