"""A source that is one file at a URL: cached, and held to the lock by its sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from huggingface_hub import cached_assets_path
from huggingface_hub.constants import HF_HUB_CACHE

from mindcorpus.errors import CatalogError, cache_errors
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.downloads import Digests, Wanted, fill
from mindcorpus.sources.file_formats import may_hold_rows
from mindcorpus.sources.files import Fetched, FetchedFile
from mindcorpus.sources.hub_errors import Asked
from mindcorpus.sources.hub_request import HubRequest, shown
from mindcorpus.sources.hub_retries import Exchange
from mindcorpus.sources.lock import LockedFile, LockedSource
from mindcorpus.sources.partial import hold, partial_path


def fetch_url(request: HubRequest, url: str, locked: LockedSource | None) -> Fetched:
    """Bring the file to the cache; a locked one that is there needs no request.

    Without a lock it is downloaded anew, since nothing tells whether it is still the same. Its
    query, which may be a signature, is used and never told.
    """
    source, cache = request.source, request.settings.cache_dir
    if not shown(url):
        raise CatalogError("not a web address", source=source.name, field="url")
    path = _name_of(source, url)
    known = locked.files.get(path) if locked else None
    with cache_errors(cache or Path(HF_HUB_CACHE)):
        folder = cached_assets_path(
            "mindcorpus",
            "urls",
            hashlib.sha256(url.encode()).hexdigest(),
            assets_dir=cache and cache / "assets",
        )
    local = folder / PurePosixPath(path).name
    if known is not None and local.is_file():
        file = FetchedFile(path, local, local.stat().st_size, expected=known.sha256)
    else:
        file = request.as_locked(_download(request, url, path, local, known), known)
    request.report_bytes(file.size, file.size)
    return Fetched(source.name, shown(url), None, (file,))


def _download(
    request: HubRequest, url: str, path: str, local: Path, known: LockedFile | None
) -> FetchedFile:
    def work(exchange: Exchange) -> FetchedFile:
        # No headers, so no token: the address is not the hub's.
        wanted = Wanted(url)
        with hold(partial_path(request.settings.cache_dir, url, "url"), exchange) as held:
            found = fill(held, wanted, exchange, is_right)
            if is_right(found):
                held.move_to(local)
            else:
                held.discard()
        return FetchedFile(path, local, found[0], found[1])

    def is_right(found: Digests) -> bool:
        return known is None or (found[0], found[1]) == (known.size, known.sha256)

    asked = Asked(request.source.name, shown(url), file=path)

    def report(received: int, note: str) -> None:
        request.report_bytes(received, None, note)

    return request.ask(work, asked, report)


def _name_of(source: Source, url: str) -> str:
    """Give the path within the source that the URL's file stands for."""
    if len(source.files) > 1:
        raise CatalogError("a url is one file", source=source.name, field="files")
    if source.files:
        return source.files[0].path
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not may_hold_rows(name):
        raise CatalogError(
            "the url's format is not known by its ending",
            source=source.name,
            field="url",
            hint="Name the file and its format ([[source.files]] with path and format).",
        )
    return name
