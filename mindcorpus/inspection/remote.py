"""A place that is elsewhere: what a repository of the hub holds, and the first of its files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from huggingface_hub import HfApi

from mindcorpus.inspection.place import Found, Place, draft, formats_of
from mindcorpus.progress import Cancellation, Reporter
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import SUFFIXES, File, Source
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.hub import fetch
from mindcorpus.sources.hub_errors import Asked
from mindcorpus.sources.hub_request import HubRequest, endpoint, shown
from mindcorpus.sources.hub_splits import CARDS, files_of_split, splits_of


def find_repository(
    place: Place,
    settings: Settings,
    *,
    config: str | None,
    split: str | None,
    report: Reporter,
    cancel: Cancellation,
) -> Found:
    """Ask what a repository holds, and fetch the first file of the split.

    Without a split named it is `train`, or else the first that there is. Raises a `FetchError`.
    """
    source = draft(place, **{"config": config} if config else {})
    repository = place.repository or ""
    hosts = HostVerdicts()
    page = f"{shown(endpoint())}/datasets/{repository}"
    info = HubRequest(source, settings, report, cancel, hosts).ask(
        lambda _: HfApi(endpoint()).dataset_info(repository, revision=source.revision),
        Asked(source.name, page, source.revision),
    )
    names = [sibling.rfilename for sibling in info.siblings or ()]

    def bring(paths: Iterable[str]) -> tuple[FetchedFile, ...]:
        files = tuple(File(path=path, format="json") for path in paths)
        return fetch(
            source.model_copy(update={"files": files}),
            settings=settings,
            locked=None,
            revision=info.sha,
            report=report,
            cancel=cancel,
            hosts=hosts,
        ).files

    cards = [name for name in CARDS if name in names]
    contents = {file.path: file.local.read_bytes() for file in bring(cards)} if cards else {}
    splits = splits_of(source, names, contents)
    wanted = split or ("train" if "train" in splits or not splits else next(iter(splits)))
    paths = files_of_split(source.model_copy(update={"split": wanted}), names, contents)
    files = bring(paths[:1])
    card: Any = info.card_data or {}
    return Found(
        files,
        formats_of(files),
        names=paths,
        split=wanted,
        splits=tuple(splits),
        configurations=tuple(
            str(one["config_name"])
            for one in card.get("configs") or ()
            if isinstance(one, dict) and "config_name" in one
        ),
        licence=_word(card.get("license")),
    )


def _word(said: object) -> str:
    # A card may name several; what is true of all of them nobody can tell.
    if isinstance(said, list):
        return str(said[0]) if len(said) == 1 else ""
    return said if isinstance(said, str) else ""


def find_url(place: Place, settings: Settings, report: Reporter, cancel: Cancellation) -> Found:
    """Fetch the file at a URL; raises a `FetchError`, `CatalogError` for what is no address."""
    known = any(_path_of(place).lower().endswith(suffix) for suffix in SUFFIXES)
    source: Source = draft(place)
    if not known:
        name = place.name
        source = source.model_copy(update={"files": (File(path=name, format="json"),)})
    files = fetch(source, settings=settings, locked=None, report=report, cancel=cancel).files
    return Found(files, formats_of(files))


def _path_of(place: Place) -> str:
    return (place.url or "").partition("?")[0].partition("#")[0]
