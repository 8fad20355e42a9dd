"""A place that is elsewhere: what a repository of the hub holds, and the first of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from huggingface_hub import HfApi

from mindcorpus.inspection.place import Found, Place, draft, formats_of, split_of
from mindcorpus.progress import Cancellation, Reporter
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import File, Source
from mindcorpus.sources.file_formats import may_hold_rows
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

    Without a split named it is `train`, or else the first that there is; without a configuration
    the default, or else the first that its card names. Raises a `FetchError`.
    """
    source = draft(place)
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

    card: Any = info.card_data or {}
    configurations = _configurations(card)
    source = source.model_copy(update={"config": config or _config_of(configurations)})
    cards = [name for name in CARDS if name in names]
    contents = {file.path: file.local.read_bytes() for file in bring(cards)} if cards else {}
    splits = splits_of(source, names, contents)
    wanted = split_of(split, tuple(splits))
    paths = files_of_split(source.model_copy(update={"split": wanted}), names, contents)
    files = bring(paths[:1])
    return Found(
        files,
        formats_of(files),
        names=paths,
        split=wanted,
        splits=tuple(splits),
        config=source.config,
        configurations=tuple(configurations),
        licence=_word(card.get("license")),
    )


def _configurations(card: Any) -> dict[str, bool]:
    """Give the configurations that a card names, and whether each is what is read unless said."""
    configs = card.get("configs")
    return {
        str(one["config_name"]): one["config_name"] == "default" or one.get("default") is True
        for one in (configs if isinstance(configs, list) else ())
        if isinstance(one, dict) and "config_name" in one
    }


def _config_of(configurations: Mapping[str, bool]) -> str:
    """Give the configuration to look at where none is named; "" for that which is read unsaid."""
    if len(configurations) < 2 or any(configurations.values()):
        return ""
    return next(iter(configurations))


def _word(said: object) -> str:
    # A card may name several; what is true of all of them nobody can tell.
    if isinstance(said, list):
        return str(said[0]) if len(said) == 1 else ""
    return said if isinstance(said, str) else ""


def find_url(place: Place, settings: Settings, report: Reporter, cancel: Cancellation) -> Found:
    """Fetch the file at a URL; raises a `FetchError`, `CatalogError` for what is no address."""
    source: Source = draft(place)
    if not may_hold_rows(PurePosixPath(unquote(_path_of(place))).name):
        name = place.name
        source = source.model_copy(update={"files": (File(path=name, format="json"),)})
    files = fetch(source, settings=settings, locked=None, report=report, cancel=cancel).files
    return Found(files, formats_of(files))


def _path_of(place: Place) -> str:
    return (place.url or "").partition("?")[0].partition("#")[0]
