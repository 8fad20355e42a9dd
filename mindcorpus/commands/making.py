"""merge and prepare: ask before anything is replaced, show progress, account for every row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.filesize import decimal
from rich.text import Text

from mindcorpus.artifacts import Store
from mindcorpus.catalog import Source, load_catalog
from mindcorpus.commands.looking import data_dir_option, outdated
from mindcorpus.console import Terminal
from mindcorpus.errors import CorruptArtifactError
from mindcorpus.merging import MergeResult, merge
from mindcorpus.preparing.formats import FORMATS, PrepareResult, prepare
from mindcorpus.requests import MergeRequest, PrepareRequest
from mindcorpus.settings import Settings
from mindcorpus.tables import (
    accounts,
    bullets,
    distribution,
    findings_table,
    heading,
    missing_sources,
    moment,
    table,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

_TAGS = 15
_NEXT = {
    "openai": "openai: upload {path}",
    "huggingface": "huggingface: datasets.load_from_disk({path!r}) in Python",
}


def make_corpus(
    *,
    sample: bool,
    sources: tuple[str, ...],
    exclude: tuple[str, ...],
    commercial_only: bool,
    allow_missing: bool,
    force: bool,
    catalogs: tuple[str, ...],
    paths: Sequence[tuple[str, str]],
    revisions: Sequence[tuple[str, str]],
    options: Sequence[tuple[str, str]],
    upgrade: tuple[str, ...],
    data_dir: Path | None,
    workers: int | None,
) -> None:
    """Merge sources into a corpus, and tell what became of every row."""
    settings = Settings.load(data_dir=data_dir, workers=workers)
    request = MergeRequest(
        sample=sample,
        sources=sources or None,
        exclude=exclude,
        commercial_only=commercial_only,
        allow_missing=allow_missing,
        force=force,
        catalogs=catalogs,
        paths=dict(paths),
        revisions=dict(revisions),
        options=dict(options),
        upgrade=upgrade,
    )
    # What is wrong with the request is said before anything is asked.
    asked = (
        load_catalog([Path(file) for file in catalogs])
        .with_options(request.options)
        .choose(request.sources, exclude)
    )
    terminal = Terminal()
    if commercial_only and (left := [source for source in asked if not source.commercial]):
        terminal.say("Left out by --commercial-only:", bullets("-", map(_why_left_out, left)))
    chosen = asked.choose(commercial_only=commercial_only)
    request = replace(request, force=_agreed(terminal, settings, ("corpus",), force=force))
    what = "the sample of " if sample else ""
    terminal.say(
        f"Merging {what}{', '.join(chosen.names)} into {settings.data_dir}.",
        "Ctrl-C stops it; what is there stays as it is until the new corpus is complete.",
    )
    with terminal.watch() as (report, cancel):
        result = merge(request, settings, report, cancel)
    terminal.show(*_corpus_parts(result, settings, terminal.full))


def make_formats(
    *,
    format: Literal["openai", "huggingface", "all"],  # noqa: A002 - as the request calls it
    exclude: tuple[str, ...],
    types: tuple[str, ...],
    caps: Sequence[tuple[str, int]],
    seed: int | None,
    system_prompt: str | None,
    force: bool,
    data_dir: Path | None,
    workers: int | None,
) -> None:
    """Prepare training formats, and tell what was skipped and how it was split."""
    settings = Settings.load(
        data_dir=data_dir, workers=workers, seed=seed, system_prompt=system_prompt
    )
    terminal = Terminal()
    store = Store(settings.data_dir)
    store.folder("corpus")  # without a corpus there is nothing to ask about
    wanted = FORMATS if format == "all" else (format,)
    request = PrepareRequest(
        format=format,
        exclude=exclude,
        types=types,
        caps=dict(caps),
        force=_agreed(terminal, settings, wanted, force=force),
    )
    terminal.say(
        f"Preparing {' and '.join(wanted)} in {settings.data_dir}.",
        "Ctrl-C stops it; what is there stays as it is until the new format is complete.",
    )
    with terminal.watch() as (report, cancel):
        results = prepare(request, settings, report, cancel)
    for name, result in results.items():
        terminal.show(*_format_parts(name, result))
    warnings = dict.fromkeys(warning for each in results.values() for warning in each.warnings)
    terminal.show(*told(tuple(warnings)), heading("Next"))
    terminal.show(*(Text(_use(name, each)) for name, each in results.items()))


def _why_left_out(source: Source) -> str:
    licence = source.licence
    use = licence.commercial.replace("-", " ")
    return f"{source.name}: {licence.id}, commercial use: {use}. {licence.terms}"


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
    return f"{entry['path']} exists: {entry['rows']:,} records, built {moment(entry['built'])}"


def _corpus_parts(result: MergeResult, settings: Settings, full: str) -> list[RenderableType]:
    statistics = result.statistics
    records = statistics["records"]
    read = sum(source["read"] for source in statistics["sources"].values())
    parts: list[RenderableType] = [
        heading(f"Merged {records:,} records from {read:,} rows"),
        heading("Every row accounted for"),
        accounts(statistics["sources"]),
        heading("Sources"),
        distribution("Source", statistics["by_source"], records, full=full),
        heading("Tags"),
        distribution("Tag", statistics["by_tag"], records, full=full, limit=_TAGS),
    ]
    if (more := len(statistics["by_tag"]) - _TAGS) > 0:
        parts.append(Text(f"and {more:,} more: mindcorpus stats", "dim"))
    parts += told(result.warnings, result.notes)
    parts += missing_sources(result.missing)
    outputs = result.manifest["outputs"]
    paths = (result.json_path, result.csv_path, result.parquet_path, result.lineage_path)
    parts += [
        heading("Files"),
        table(("Path", "Size"), [(path, _bytes(path, outputs)) for path in paths]),
        Text(f"\n{_next(settings)}"),
    ]
    return parts


def _format_parts(name: str, result: PrepareResult) -> list[RenderableType]:
    parts: list[RenderableType] = [heading(f"{name}: {result.rows:,} records in {result.path}")]
    if result.skipped:
        parts += [Text(), table(("Skipped because", "Records"), list(result.skipped.items()))]
    if result.split is not None:
        rows = [
            (part, counts["rows"], counts["groups"])
            for part, counts in result.split["parts"].items()
        ]
        parts += [
            Text(),
            table(("Split", "Records", "Different inputs"), rows),
            Text(f"Inputs in both: {result.split['overlap']:,}"),
        ]
    if result.findings:
        parts += [Text(), findings_table(result.findings, result.manifest["finding_counts"])]
    return parts


def _bytes(path: Path, outputs: Sequence[Mapping[str, Any]]) -> str:
    """Add up what the manifest says of a file, or of a folder's files."""
    inside = (path.name, f"{path.name}/")
    return decimal(
        sum(
            output["bytes"]
            for output in outputs
            if output["path"] == inside[0] or output["path"].startswith(inside[1])
        )
    )


def _next(settings: Settings) -> str:
    """Say what to do with a new corpus: make formats of it, or those anew that are not of it."""
    try:
        found = Store(settings.data_dir).status()
    except CorruptArtifactError:  # of a format: the corpus is new and whole
        found = {}
    if old := [kind for kind, entry in found.items() if entry.get("outdated")]:
        return outdated(old, settings)
    return f"Next: mindcorpus prepare{data_dir_option(settings)}"


def _use(name: str, result: PrepareResult) -> str:
    """Say what can be done with a format, or why nothing can be done with it yet."""
    errors = dict.fromkeys(
        finding.reason for finding in result.findings if finding.severity == "error"
    )
    if errors:
        return f"{name}: would be refused, mend it first: {'; '.join(errors)}"
    return _NEXT[name].format(path=str(result.path))
