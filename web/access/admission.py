"""Admission: how much of what may take long is worked on at once, by all and by one token.

A request beyond that is refused at once, which costs nearly nothing, instead of waiting with all
others. What changes something, and what asks how a job is, has a budget of its own: neither waits
behind those who browse, search and download. Each process counts for itself.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

from flask import Flask, Response, current_app, g, request

from web.access.auth import current_token
from web.errors import BusyError, TokenBusyError
from web.settings import WebSettings

#: Archives and exports that are made at the same time, in all and for one token: each costs a
#: thread until it is sent, however slowly that is read.
ARCHIVES = 8
_ARCHIVES_OF_TOKEN = 4
_EXTENSION = "mindcorpus-admission"
_SEARCHES = ("api.list_records", "pages.records")
_POLLED = ("api.show_job", "api.list_jobs", "pages.job", "pages.jobs")
_FREE = ("operations", "static")
_CHANGES = ("POST", "DELETE")


@dataclass
class Budget:
    """Room for requests of one kind: for so many at once, and so many of one token."""

    what: str
    limit: int
    of_token: int | None = None
    _held: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, token: str | None) -> Place:
        """Take a place; raises `TokenBusyError` and `BusyError` where there is none."""
        name = token or ""
        with self._lock:
            if token and self.of_token is not None and self._held[name] >= self.of_token:
                raise TokenBusyError(
                    f"this token has {self.of_token} {self.what} open, as many as one may",
                    hint="End one of them first, or wait for as long as Retry-After says.",
                )
            if self._held.total() >= self.limit:
                raise BusyError(
                    f"{self.limit} {self.what} are worked on, as many as there is room for",
                    hint="Try again after as many seconds as Retry-After says.",
                )
            self._held[name] += 1
        return Place(self, name)

    def leave(self, name: str) -> None:
        """Give a place back."""
        with self._lock:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]


class Place:
    """One request's place in a budget."""

    def __init__(self, budget: Budget, name: str) -> None:
        self._budget: Budget | None = budget
        self._name = name

    def leave(self) -> None:
        """Give it back; once more does no harm."""
        budget, self._budget = self._budget, None
        if budget is not None:
            budget.leave(self._name)


class _Budgets:
    def __init__(self, settings: WebSettings) -> None:
        self.reads = Budget("pages and lists", settings.read_limit)
        self.polls = Budget("requests for jobs", 2 * settings.read_limit)
        # Half of it, so that there is room for who searches now and then beside who never stops.
        of_token = (settings.search_limit + 1) // 2
        self.searches = Budget("searches", settings.search_limit, of_token)
        self.downloads = Budget("downloads", settings.download_limit, settings.token_downloads)
        self.archives = Budget("archives and exports", ARCHIVES, _ARCHIVES_OF_TOKEN)
        # How many there may be in all is the hub's to say.
        streams = settings.stream_limit + settings.read_limit
        self.streams = Budget("streams of events", streams, settings.token_streams)

    def of_request(self) -> Budget | None:
        """Give the budget of the request that is being answered."""
        endpoint = request.endpoint or ""
        if request.method in _CHANGES or endpoint.split(".")[0] in _FREE:
            return None
        if endpoint == "api.download":
            return self.downloads
        if endpoint == "api.follow_job":
            return self.streams
        if endpoint == "pages.export_records":
            return self.archives
        if endpoint in _SEARCHES:
            return self.searches
        return self.polls if endpoint in _POLLED else self.reads


def threads(settings: WebSettings) -> int:
    """Give how many threads are at work when all budgets are used up but the downloads'.

    Those are sent without one.
    """
    budgets = _Budgets(settings)
    held = (budgets.reads, budgets.polls, budgets.searches, budgets.archives, budgets.streams)
    return sum(budget.limit for budget in held)


def install(app: Flask, settings: WebSettings) -> None:
    """Admit requests to an app; what finds out who asks must be installed before."""
    app.extensions[_EXTENSION] = _Budgets(settings)
    app.before_request(_admit)
    app.after_request(_hold_while_sent)
    app.teardown_request(_leave)


def admit_archive() -> None:
    """Take a place for an archive, until the current answer is sent.

    Raises `TokenBusyError` and `BusyError`.
    """
    _enter(current_app.extensions[_EXTENSION].archives)


def _admit() -> None:
    g.places = []
    budgets: _Budgets = current_app.extensions[_EXTENSION]
    if (budget := budgets.of_request()) is not None:
        _enter(budget)


def _enter(budget: Budget) -> None:
    token = current_token()
    g.places.append(budget.enter(token.name if token else None))


def _hold_while_sent(response: Response) -> Response:
    places: list[Place] = g.get("places", [])
    if response.is_streamed:
        for place in places:
            response.call_on_close(place.leave)
        places.clear()
    return response


def _leave(_error: BaseException | None) -> None:
    for place in g.get("places", []):
        place.leave()
