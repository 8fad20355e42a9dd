"""merge and prepare: ask before anything is replaced, show progress, account for every row."""

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
    size_of,
    use_of,
)
from mindcorpus.cli.tables import bullets, findings_table
from mindcorpus.cli.terminal import Terminal
from mindcorpus.errors import CorruptArtifactError
from mindcorpus.formats.registry import FORMATS, names_of, with_formats
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.choice import choose_sources, choose_stages, with_added
from mindcorpus.merging.merge import merge
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def make_corpus(
    request: MergeRequest, *, data_dir: Path | None = None, workers: int | None = None
) -> None:
    """Merge sources into a corpus, and tell what became of every row."""
    settings = Settings.load(data_dir=data_dir, workers=workers)
    # What is wrong with the request is said before anything is asked.
    known = with_added(request.model_copy(update={"commercial_only": False}), settings)
    asked = choose_sources(known, settings)
    choose_stages(request)
    terminal = Terminal()
    if request.commercial_only and (left := [source for source in asked if not source.commercial]):
        why = [left_out_for(source.name, source.licence.model_dump()) for source in left]
        terminal.say("Left out by --commercial-only:", bullets("-", why))
    chosen = asked.choose(commercial_only=request.commercial_only)
    force = _agreed(terminal, settings, ("corpus",), force=request.force)
    request = request.model_copy(update={"force": force})
    what = "the sample of " if request.sample else ""
    terminal.say(
        f"Merging {what}{', '.join(chosen.names)} into {settings.data_dir}.",
        "Ctrl-C stops it; what is there stays as it is until the new corpus is complete.",
    )
    with terminal.watch() as (report, cancel):
        result = merge(request, settings, report, cancel)
    outputs = result.manifest["outputs"]
    written = (result.json_path, result.csv_path, result.parquet_path, result.lineage_path)
    files = [(path, size_of(path.name, outputs)) for path in written]
    made = {name: getattr(result, name) for name in ("statistics", "warnings", "notes", "missing")}
    terminal.show(*corpus_parts(made, files, _next(settings), terminal.full))


def make_formats(
    request: PrepareRequest, *, data_dir: Path | None = None, workers: int | None = None
) -> None:
    """Prepare training formats, and tell what was skipped and how it was split."""
    settings = Settings.load(data_dir=data_dir, workers=workers)
    terminal = Terminal()
    store = Store(settings.data_dir)
    store.folder("corpus")  # without a corpus there is nothing to ask about
    wanted = names_of(request.format, request.formats, store.exists, settings.formats)
    force = _agreed(terminal, settings, wanted, force=request.force)
    request = with_formats(request, wanted).model_copy(update={"force": force})
    terminal.say(
        f"Preparing {' and '.join(wanted)} in {settings.data_dir}.",
        "Ctrl-C stops it; what is there stays as it is until the new format is complete.",
    )
    with terminal.watch() as (report, cancel):
        results = prepare(request, settings, report, cancel)
    made = {name: _as_dict(result) for name, result in results.items()}
    for name, result in results.items():
        found = findings_table(result.findings, result.manifest["finding_counts"])
        terminal.show(*format_parts(name, made[name], found if result.findings else None))
    terminal.show(*ending_parts(made, [_use(name, result) for name, result in results.items()]))


def _agreed(terminal: Terminal, settings: Settings, kinds: Sequence[str], *, force: bool) -> bool:
    """Find out whether what exists may be replaced; raises `ExistsError` if it may not."""
    store = Store(settings.data_dir)
    there = [kind for kind in kinds if store.exists(kind)]
    if force or not there:
        return force
    terminal.confirm([_existing(store, kind) for kind in there])
    return True


def _existing(store: Store, kind: str) -> str:
    try:
        entry = store.status()[kind]
    except CorruptArtifactError:
        return f"{store.path(kind)} exists, with a damaged manifest"
    return existing(entry)


def _next(settings: Settings) -> str:
    """Say what to do with a new corpus: make formats of it, or those anew that are not of it."""
    try:
        found = Store(settings.data_dir).status()
    except CorruptArtifactError:  # of a format: the corpus is new and whole
        found = {}
    if old := [kind for kind, entry in found.items() if entry.get("outdated")]:
        return outdated(old, options=data_dir_option(settings))
    return f"Next: mindcorpus prepare{data_dir_option(settings)}"


def _as_dict(result: PrepareResult) -> dict[str, Any]:
    return {
        name: getattr(result, name)
        for name in ("path", "rows", "skipped", "changed", "split", "warnings")
    }


def _use(name: str, result: PrepareResult) -> str:
    """Say what can be done with a format, or why nothing can be done with it yet."""
    errors = dict.fromkeys(
        finding.reason for finding in result.findings if finding.severity == "error"
    )
    return use_of(name, tuple(errors), FORMATS[name].use.format(path=str(result.path)))
