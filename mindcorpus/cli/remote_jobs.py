"""merge, prepare, status and stats of a service: the same screens; its workers do the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mindcorpus.cli.render import (
    existing,
    left_out_for,
    of_another_split,
    otherwise,
    status_parts,
)
from mindcorpus.cli.stats import show_corpus
from mindcorpus.cli.tables import bullets
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.cli.watch import command_of, follow
from mindcorpus.client.service import ServiceClient, Submission
from mindcorpus.errors import CancelledError
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.preparing.shaping import Difference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Request = TypeVar("_Request", MergeRequest, PrepareRequest)

_STATUS = (
    *("exists", "path", "build", "rows", "bytes", "built", "warnings", "kept"),
    *("outdated", "outdated_by"),
)


def merge_there(server: str, request: MergeRequest, *, detach: bool, label: str | None) -> None:
    """Have a service merge sources into its corpus, and tell what became of every row."""
    terminal = Terminal()
    with ServiceClient(server) as client:
        if request.commercial_only:
            _say_what_is_left_out(terminal, client, request)
        submission = _sent(server, lambda: client.submit_merge(request, label=label))
        if submission.job is None:
            terminal.confirm([existing(client.corpus())])
            submission = _sent(server, lambda: client.submit_merge(_forced(request), label=label))
        _follow(terminal, client, server, submission, detach=detach)


def prepare_there(server: str, request: PrepareRequest, *, detach: bool, label: str | None) -> None:
    """Have a service prepare training formats, and tell what was skipped and how it was split."""
    terminal = Terminal()
    with ServiceClient(server) as client:
        submission = _sent(server, lambda: client.submit_prepare(request, label=label))
        if submission.existing is not None:
            formats = submission.existing["formats"]
            terminal.confirm([_told(entry) for entry in formats.values()])
            submission = _sent(server, lambda: client.submit_prepare(_forced(request), label=label))
        _follow(terminal, client, server, submission, detach=detach)


def _told(entry: Mapping[str, Any]) -> str:
    """Say how a format would change; a service of an earlier release does not tell."""
    differences = [
        str(Difference(each["setting"], each["is"], each["would_be"]))
        for each in entry.get("differs", ())
    ]
    if not entry["exists"]:
        return of_another_split(entry["path"], differences)
    if "differs" not in entry:
        return existing(entry)
    told = otherwise(existing(entry), differences)
    return told if differences else f"{told}, and would take the settings that are asked for"


def _forced(request: _Request) -> _Request:
    return request.model_copy(update={"force": True})


def _sent(server: str, submit: Callable[[], Submission]) -> Submission:
    try:
        return submit()
    except KeyboardInterrupt:
        raise CancelledError(
            "stopped while the service was asked: it may have taken the job",
            hint=f"`{command_of(server)} jobs` shows whether it has.",
        ) from None


def _follow(
    terminal: Terminal,
    client: ServiceClient,
    server: str,
    submission: Submission,
    *,
    detach: bool,
) -> None:
    assert submission.job is not None  # what is forced is done
    if detach:
        terminal.show(submission.job["id"])
    else:
        follow(terminal, client, server, submission.job)


def _say_what_is_left_out(terminal: Terminal, client: ServiceClient, request: MergeRequest) -> None:
    left = [
        left_out_for(source["name"], source["licence"])
        for source in client.sources()
        if not source["commercial"]
        and source["name"] not in request.exclude
        and (request.sources is None or source["name"] in request.sources)
    ]
    if left:
        terminal.say("Left out by --commercial-only:", bullets("-", left))


def show_status_there(server: str, *, as_json: bool) -> None:
    """Show which artifacts a service has, how large and how old they are."""
    with ServiceClient(server) as client:
        entries = {"corpus": client.corpus(), **client.formats()["formats"]}
    found: dict[str, dict[str, Any]] = {
        kind: {name: entry[name] for name in _STATUS if _is_told(entry, name)}
        for kind, entry in entries.items()
    }
    if as_json:
        print_json(found)
    else:
        Terminal().show(*status_parts(found, command_of(server)))


def _is_told(entry: Mapping[str, Any], name: str) -> bool:
    # Of a format that is there null says that nothing outdates it; else null says nothing.
    there = name == "outdated_by" and name in entry and entry["exists"]
    return there or entry.get(name) is not None


def show_statistics_there(server: str, html: Path | None, *, force: bool, as_json: bool) -> None:
    """Show a service's corpus in numbers, or write them as charts on this machine."""
    with ServiceClient(server) as client:
        while True:
            corpus = client.corpus()
            statistics = client.statistics()
            # Both of one corpus, though a merge may publish in between.
            if client.corpus().get("build") == corpus.get("build"):
                break
    show_corpus(
        statistics,
        (corpus["manifest"] or {}).get("sources", ()),
        corpus["warnings"],
        html,
        force=force,
        as_json=as_json,
    )
