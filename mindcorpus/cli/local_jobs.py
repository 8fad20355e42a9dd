"""merge and prepare: ask before anything is replaced, show progress, account for every row.

Each loads its own half of the library, which is most of what its start costs, as it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mindcorpus.cli.inspect import data_dir_option
from mindcorpus.cli.render import (
    corpus_parts,
    ending_parts,
    existing,
    format_parts,
    left_out_for,
    outdated,
    outdated_of,
    size_of,
    split_parts,
    use_of,
)
from mindcorpus.cli.tables import bullets, findings_table
from mindcorpus.cli.terminal import Terminal
from mindcorpus.errors import CorruptArtifactError
from mindcorpus.formats.instructions import use_of_format
from mindcorpus.formats.registry import FORMATS, names_of
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.settings import Settings
from mindcorpus.storage.exports import split_told
from mindcorpus.storage.status import entry_of
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import RenderableType

    from mindcorpus.merging.merge import MergeResult
    from mindcorpus.preparing.prepare import PrepareResult


def make_corpus(
    request: MergeRequest, *, data_dir: Path | None = None, workers: int | None = None
) -> None:
    """Merge sources into a corpus, and tell what became of every row."""
    from mindcorpus.merging.merge import merge

    settings = Settings.load(data_dir=data_dir, workers=workers)
    terminal = Terminal()
    what = chosen_sources(terminal, request, settings)
    force = _agreed(terminal, settings, force=request.force)
    request = request.model_copy(update={"force": force})
    terminal.say(
        f"Merging {what} into {settings.data_dir}.",
        "Ctrl-C stops it; what is there stays as it is until the new corpus is complete.",
    )
    with terminal.watch() as (report, cancel):
        result = merge(request, settings, report, cancel)
    terminal.show(*merged_parts(result, _next(settings), terminal.full))


def chosen_sources(terminal: Terminal, request: MergeRequest, settings: Settings) -> str:
    """Name the sources of a request, and tell which it leaves out for their licence.

    What is wrong with the request is said before anything is asked.
    """
    from mindcorpus.merging.choice import choose_sources, choose_stages, with_added

    known = with_added(request.model_copy(update={"commercial_only": False}), settings)
    asked = choose_sources(known, settings)
    choose_stages(request)
    if request.commercial_only and (left := [source for source in asked if not source.commercial]):
        why = [left_out_for(source.name, source.licence.model_dump()) for source in left]
        terminal.say("Left out by --commercial-only:", bullets("-", why))
    names = ", ".join(asked.choose(commercial_only=request.commercial_only).names)
    return f"the sample of {names}" if request.sample else names


def merged_parts(result: MergeResult, following: str, full: str) -> list[RenderableType]:
    """Show what was merged, and what is to follow."""
    outputs = result.manifest["outputs"]
    written = (result.json_path, result.csv_path, result.parquet_path, result.lineage_path)
    files = [(path, size_of(path.name, outputs)) for path in written]
    told = (
        *("statistics", "warnings", "notes", "missing", "exports_holding"),
        *("unchanged", "parts"),
    )
    made = {name: getattr(result, name) for name in told}
    return corpus_parts(made, files, following, full)


def make_formats(
    request: PrepareRequest, *, data_dir: Path | None = None, workers: int | None = None
) -> None:
    """Prepare training formats, and tell what was skipped and how it was split."""
    from mindcorpus.cli.agreeing import agreed_requests
    from mindcorpus.preparing.prepare import prepare

    settings = Settings.load(data_dir=data_dir, workers=workers)
    terminal = Terminal()
    store = Store(settings.data_dir)
    store.folder("corpus")  # without a corpus there is nothing to ask about
    wanted = names_of(request.format, request.formats, store.exists, settings.formats)
    results: dict[str, PrepareResult] = {}
    for each in agreed_requests(terminal, store, request, settings, wanted):
        names = names_of(each.format, each.formats)
        terminal.say(
            f"Preparing {' and '.join(names)} in {settings.data_dir}.",
            "Ctrl-C stops it; what is there stays as it is until the new format is complete.",
        )
        with terminal.watch() as (report, cancel):
            results |= prepare(each, settings, report, cancel)
    there = {name: results[name] for name in wanted if name in results}
    terminal.show(*prepared_parts(store, there))


def prepared_parts(store: Store, results: Mapping[str, PrepareResult]) -> list[RenderableType]:
    """Show what was prepared, and what can be done with it."""
    made = {name: _as_dict(result) for name, result in results.items()}
    # A format of an earlier release knows of no split.
    split_ids = {result.manifest.get("split_id", "") for result in results.values()}
    parts = split_parts(split_told(store, split_ids))
    for name, told in made.items():
        result = results[name]
        found = findings_table(result.findings, result.manifest["finding_counts"])
        parts += format_parts(name, told, found if result.findings else None)
    return [*parts, *ending_parts(made, [_use(name, results[name]) for name in made])]


def _agreed(terminal: Terminal, settings: Settings, *, force: bool) -> bool:
    """Find out whether a corpus may be replaced; raises `ExistsError` if it may not."""
    store = Store(settings.data_dir)
    if force or not store.exists("corpus"):
        return force
    terminal.confirm([existing_told(store, "corpus")])
    return True


def existing_told(store: Store, kind: str) -> str:
    """Say what exists of a kind; something does."""
    try:
        entry, _ = entry_of(store, kind)
    except CorruptArtifactError:
        return f"{store.path(kind)} exists, with a damaged manifest"
    return existing(entry)


def outdated_there(settings: Settings) -> str:
    """Say which formats are not of the corpus that there is, and what to do; "" where none is."""
    try:
        found = Store(settings.data_dir).status()
    except CorruptArtifactError:  # of a format: the corpus is new and whole
        return ""
    old = outdated_of(found)
    return outdated(old, options=data_dir_option(settings)) if old else ""


def _next(settings: Settings) -> str:
    """Say what to do with a new corpus: make formats of it, or those anew that are not of it."""
    return outdated_there(settings) or f"Next: mindcorpus prepare{data_dir_option(settings)}"


def _as_dict(result: PrepareResult) -> dict[str, Any]:
    told = ("path", "rows", "skipped", "changed", "repeats", "split", "warnings")
    of_manifest = {name: result.manifest.get(name) for name in ("sections", "tokens")}
    return {**{name: getattr(result, name) for name in told}, **of_manifest}


def _use(name: str, result: PrepareResult) -> str:
    """Say what can be done with a format, or why nothing can be done with it yet."""
    errors = dict.fromkeys(
        finding.reason for finding in result.findings if finding.severity == "error"
    )
    return use_of(name, tuple(errors), use_of_format(FORMATS[name], result.path, result.manifest))
