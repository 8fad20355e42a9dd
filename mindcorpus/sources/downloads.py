"""A file over HTTP, in as many pieces as it takes: ranges of one and the same state of it.

What the hub holds at a commit never changes, and its sum is known. At a URL the server's own name
of the state has to be the same, or the file is begun anew. Ranges count the bytes as they are
stored, so nothing goes on that came packed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from huggingface_hub import get_session
from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

from mindcorpus.compression import ENDINGS
from mindcorpus.errors import FileTooLargeError
from mindcorpus.sources.files import digests
from mindcorpus.sources.hub_client import endless
from mindcorpus.sources.hub_retries import Exchange
from mindcorpus.sources.partial import Partial

if TYPE_CHECKING:
    from mindcorpus.sources.hub_http import httpx

_HOPS = 10  # redirects of one request
_SPAN = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_END = re.compile(r"bytes \*/(\d+)")
#: A file that changed less than this before it was sent may have changed twice in that second.
_SETTLED = timedelta(seconds=60)

Digests = tuple[int, str, str]


@dataclass(frozen=True)
class Wanted:
    """A file to be had: where, and what is known of it."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None
    pinned: bool = False
    """Whether the address stands for the same bytes for ever."""


def fill(
    partial: Partial, wanted: Wanted, exchange: Exchange, is_right: Callable[[Digests], bool]
) -> Digests:
    """Bring what is missing of a file, and give the size, sha256 and id in git of the whole.

    Bytes of an earlier time that turn out wrong are fetched again, once; wrong ones that came just
    now are given as they are.
    """
    began = partial.size
    found = _brought(partial, wanted, exchange)
    if began and not is_right(found):
        partial.restart()
        found = _brought(partial, wanted, exchange)
    return found


def _brought(partial: Partial, wanted: Wanted, exchange: Exchange) -> Digests:
    _refuse_larger(wanted.size or 0, exchange)
    if wanted.size is not None and partial.size > wanted.size:
        partial.restart()
    if partial.size != wanted.size:
        _receive(partial, wanted, exchange)
    return digests(partial.path, lambda _size: exchange.cancel.check())


def _receive(partial: Partial, wanted: Wanted, exchange: Exchange) -> None:
    """Ask for the rest of a file, and for the whole where the server does not give the rest."""
    begin = partial.size if wanted.pinned or partial.validator else 0
    headers = {**wanted.headers, "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
        if not wanted.pinned:
            headers["If-Range"] = partial.validator
    with _answer(wanted.address, headers) as response:
        if begin and _is_end(response, begin):
            return
        going_on = begin > 0 and _goes_on(response, begin, wanted.size)
        if going_on or not begin or response.status_code not in (206, 416):
            hf_raise_for_status(response)
            _write(response, partial, exchange, going_on=going_on)
            return
    partial.restart()
    _receive(partial, wanted, exchange)


def _write(
    response: httpx.Response, partial: Partial, exchange: Exchange, *, going_on: bool
) -> None:
    if not going_on:
        partial.restart(_validator(response))
    exchange.received = size = partial.size
    try:
        _refuse_larger(size + _announced(response), exchange)
        # Some servers call what a compressed file is the encoding of their answer.
        as_it_is = response.request.url.path.lower().endswith(tuple(ENDINGS))
        for piece in response.iter_raw() if as_it_is else response.iter_bytes():
            size += len(piece)
            _refuse_larger(size, exchange)
            partial.append(piece)
    except FileTooLargeError:
        partial.restart()
        raise
    except BaseException:
        if _is_packed(response):
            partial.restart()
        raise


def _announced(response: httpx.Response) -> int:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def _refuse_larger(size: int, exchange: Exchange) -> None:
    """Refuse a file of so many bytes: those that it is to have, or those that have come."""
    if size > exchange.limit:
        raise FileTooLargeError(
            f"the file is larger than {exchange.limit >> 20:,} MiB",
            hint="If it is to be so large, raise MINDCORPUS_FETCH_LIMIT_MB.",
        )


@contextmanager
def _answer(address: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
    """Ask, and follow redirects without reading what else they say."""
    client = get_session()
    request = client.build_request("GET", address, headers=dict(headers))
    for _ in range(_HOPS + 1):
        response = client.send(request, stream=True, follow_redirects=False)
        try:
            if response.next_request is None:
                yield response
                return
            request = response.next_request
        finally:
            response.close()
    raise endless(request.url.host)


def _goes_on(response: httpx.Response, begin: int, size: int | None) -> bool:
    """Whether an answer begins where ours ends."""
    span = _SPAN.fullmatch(response.headers.get("Content-Range", ""))
    if response.status_code != 206 or span is None or _is_packed(response):
        return False
    return int(span[1]) == begin and (size is None or span[2] in ("*", str(size)))


def _is_end(response: httpx.Response, begin: int) -> bool:
    """Whether a server says that there is nothing after what we have."""
    end = _END.fullmatch(response.headers.get("Content-Range", ""))
    return response.status_code == 416 and end is not None and int(end[1]) == begin


def _is_packed(response: httpx.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")


def _validator(response: httpx.Response) -> str:
    """Give what names this very state of a file (RFC 9110, 8.8), or "" if nothing does."""
    tag: str = response.headers.get("ETag", "")
    if _is_packed(response) or tag.startswith("W/"):
        return ""
    return tag or _settled(response.headers)


def _settled(headers: httpx.Headers) -> str:
    """Give the time of a file's last change, if that was some time ago when it was sent."""
    changed: str = headers.get("Last-Modified", "")
    try:
        age = parsedate_to_datetime(headers.get("Date", "")) - parsedate_to_datetime(changed)
    except (ValueError, TypeError):
        return ""
    return changed if age >= _SETTLED else ""
