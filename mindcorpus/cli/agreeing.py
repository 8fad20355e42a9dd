"""Before a prepare on this machine: what it would replace is told, and asked about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mindcorpus.cli.render import existing, otherwise, outdated_word
from mindcorpus.errors import ExistsError
from mindcorpus.formats.registry import with_formats
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.existing import refuse_edited
from mindcorpus.preparing.standing import Standing, standings
from mindcorpus.storage.status import entry_of
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from mindcorpus.cli.terminal import Terminal
    from mindcorpus.settings import Settings


def agreed_requests(
    terminal: Terminal,
    store: Store,
    request: PrepareRequest,
    settings: Settings,
    names: Sequence[str],
) -> list[PrepareRequest]:
    """Give what is to be prepared, in one request or several: what may be replaced says `force`.

    What a yes allows is what was told before: a format that is made anew keeps the settings of its
    own manifest unless the request has others. Formats that are up to date stay where others are
    due. Raises `ExistsError` for a no, and where there is nobody to ask.
    """
    if request.force:
        return [with_formats(request, tuple(names))]
    found = standings(store, request, settings, names)
    replaced = {name: each for name, each in found.items() if each.state != "up-to-date"}
    edited = _edited(store, replaced) if terminal.asks else {}
    due = [name for name, each in found.items() if each.is_due and name not in edited]
    kept = [name for name, each in found.items() if each.state == "up-to-date"]
    asked = [name for name in found if name not in (*due, *kept)]
    if not asked and not due:
        asked, kept = kept, []
        edited |= _edited(store, found)
    for name in kept:
        terminal.say(f"{_told(store, found[name])}.")
    for name in due:
        if reason := found[name].outdated_by:
            terminal.say(
                f"{store.path(name)} is outdated, {outdated_word(reason)}: it is made anew, "
                "with the settings that it has."
            )
    requests = [with_formats(request, tuple(due))] if due else []
    if asked:
        terminal.confirm([edited.get(name) or _told(store, found[name]) for name in asked])
        requests += _forced(found[name] for name in asked)
    return requests


def _edited(store: Store, found: Mapping[str, Standing]) -> dict[str, str]:
    """Say of formats that exist which were changed by hand since they were made."""
    edited = {}
    for name, each in found.items():
        if each.state in ("outdated", "differs", "up-to-date") and store.exists(name):
            try:
                refuse_edited(store, name)
            except ExistsError as error:
                edited[name] = "; ".join((error.title, *map(str, each.differences)))
    return edited


def _told(store: Store, standing: Standing) -> str:
    name = standing.name
    if standing.state == "damaged":
        return f"{store.path(name)} exists, with a damaged manifest"
    differences = [str(each) for each in standing.differences]
    if not store.exists(name):
        return (
            f"{store.path(name)} would be of another split of the corpus: {'; '.join(differences)}"
        )
    return otherwise(existing(entry_of(store, name)[0]), differences)


def _forced(standing: Iterable[Standing]) -> list[PrepareRequest]:
    """Give one request for all formats that are made with the same one."""
    alike: dict[str, tuple[PrepareRequest, list[str]]] = {}
    for each in standing:
        _, names = alike.setdefault(each.request.model_dump_json(), (each.request, []))
        names.append(each.name)
    return [
        with_formats(request.model_copy(update={"force": True}), tuple(names))
        for request, names in alike.values()
    ]
