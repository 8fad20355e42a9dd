"""sources, status, stats, check and verify: they read, and change nothing of what is stored."""

from __future__ import annotations

import secrets
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal
from rich.text import Text

from mindcorpus.artifacts import Store
from mindcorpus.catalog import Source, load_catalog
from mindcorpus.charts import render_page
from mindcorpus.console import Terminal, print_json
from mindcorpus.errors import SettingsError, storage_errors
from mindcorpus.preparing.chat_rules import check_chat_file
from mindcorpus.settings import Settings
from mindcorpus.tables import (
    absent_sources,
    accounts,
    distribution,
    findings_table,
    heading,
    missing_sources,
    moment,
    table,
    told,
)
from mindcorpus.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

_TITLE = "The mindcorpus mental-health corpus"


def list_sources(catalogs: tuple[str, ...], *, as_json: bool) -> None:
    """List the catalogue's sources, their homes and licences."""
    found = list(load_catalog([Path(file) for file in catalogs]))
    if as_json:
        print_json([source.model_dump(mode="json") for source in found])
        return
    rows = [
        (source.name, source.type, _home(source), source.licence.id, source.licence.commercial)
        for source in found
    ]
    terminal = Terminal()
    terminal.show(table(("Source", "Type", "Home", "Licence", "Commercial"), rows))
    terminal.show(heading("What they are"), *(_described(source) for source in found))


def _home(source: Source) -> str:
    return source.repository or source.url or source.path or ""


def _described(source: Source) -> RenderableType:
    lines = [
        line for line in (source.title, source.licence.terms, source.note, source.absent) if line
    ]
    text = Text(f"\n{source.name}\n", "bold")
    return text.append("\n".join(lines), "not bold")


def tell_status(data_dir: Path | None, *, as_json: bool) -> None:
    """Tell which artifacts exist, how large and how old they are."""
    settings = Settings.load(data_dir=data_dir)
    found = Store(settings.data_dir).status()
    if as_json:
        print_json(found)
        return
    terminal = Terminal()
    terminal.show(
        table(
            ("Artifact", "Records", "Size", "Built", "Path"),
            [_status_row(kind, entry) for kind, entry in found.items()],
        )
    )
    if old := [kind for kind, entry in found.items() if entry.get("outdated")]:
        terminal.show(Text(f"\n{outdated(old, settings)}", "yellow"))
    warnings = dict.fromkeys(
        warning for entry in found.values() for warning in entry.get("warnings", ())
    )
    if warnings:
        terminal.show(*told(tuple(warnings)))


def outdated(kinds: Sequence[str], settings: Settings) -> str:
    """Name the formats that were made from an earlier corpus, and how to make them anew."""
    one = f" {kinds[0]}" if len(kinds) == 1 else ""
    return (
        f"Outdated, made from an earlier corpus: {', '.join(kinds)}. "
        f"Next: mindcorpus prepare{one} --force{data_dir_option(settings)}"
    )


def data_dir_option(settings: Settings) -> str:
    """Give the option that names the data folder, where it must be given."""
    default = Path(Settings.model_fields["data_dir"].default)
    if settings.data_dir == default:
        return ""
    return f" --data-dir {shlex.quote(str(settings.data_dir))}"


def _status_row(kind: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    if not entry["exists"]:
        return kind, "none", "", "", entry["path"]
    return (
        kind,
        f"{entry['rows']:,}",
        decimal(entry["bytes"]),
        moment(entry["built"]),
        entry["path"],
    )


def show_statistics(
    data_dir: Path | None, html: Path | None, *, force: bool, as_json: bool
) -> None:
    """Show the corpus in numbers, or write them as charts."""
    settings = Settings.load(data_dir=data_dir)
    manifest = Store(settings.data_dir).manifest("corpus")
    statistics = manifest["statistics"]
    terminal = Terminal()
    if html is not None:
        if html.exists() and not force:
            terminal.confirm([f"{html} exists"])
        page = render_page(
            statistics, title=_TITLE, sources=manifest["sources"], warnings=manifest["warnings"]
        )
        _replace(html, page)
        terminal.say(f"Wrote {html}.")
    if as_json:
        print_json(statistics)
    elif html is None:
        terminal.show(*_statistics_parts(statistics, terminal.full))
        for part in (
            *told(manifest["warnings"]),
            *missing_sources(statistics.get("missing", ())),
            *absent_sources(statistics.get("absent", ())),
        ):
            terminal.show(part)


def _statistics_parts(statistics: Mapping[str, Any], full: str) -> list[RenderableType]:
    records = statistics["records"]
    parts: list[RenderableType] = [Text(f"{records:,} records", "bold")]
    for what in ("source", "type", "tag"):
        counts = statistics[f"by_{what}"]
        parts += [
            heading(f"By {what}"),
            distribution(what.capitalize(), counts, records, full=full),
        ]
    parts += [
        heading("Lengths in words"),
        table(
            ("Source", "Text", "Mean", "Median", "5%", "95%", "Longest"),
            [
                (
                    source,
                    side,
                    f"{words['mean']:,.1f}",
                    *(words[key] for key in ("median", "p5", "p95", "max")),
                )
                for source, sides in statistics["lengths"].items()
                for side, units in sides.items()
                for words in (units["words"],)
            ],
        ),
        heading("Every row accounted for"),
        accounts(statistics["sources"]),
    ]
    if statistics["overlap"]:
        rows = [
            (" and ".join(pair["sources"]), pair["inputs"], pair["records"])
            for pair in statistics["overlap"]
        ]
        parts += [heading("Shared by two sources"), table(("Sources", "Inputs", "Records"), rows)]
    return parts


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is there whole, or not at all."""
    if not path.parent.is_dir():
        raise SettingsError("no such folder", file=str(path.parent), hint="Make it first.")
    with storage_errors(path.parent):
        new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            new.write_text(text, "utf-8")
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def check_file(file: Path, *, as_json: bool) -> int:
    """Check a chat file, show what was found; give 1 if it would be refused."""
    terminal = Terminal()
    with terminal.watch() as (report, cancel):
        found = check_chat_file(file, report, cancel)
    if as_json:
        print_json(found.as_dict())
    else:
        if found.findings:
            terminal.show(findings_table(found.findings, found.counts))
        verdict = "no errors" if found.ok else "would be refused"
        terminal.show(
            Text(
                f"{found.examples:,} examples, {decimal(found.bytes)}: {verdict}",
                "bold green" if found.ok else "bold red",
            )
        )
    return 0 if found.ok else 1


def verify_artifacts(data_dir: Path | None, *, as_json: bool) -> int:
    """Recompute what the manifests say, show what differs; give 1 if anything does."""
    settings = Settings.load(data_dir=data_dir)
    terminal = Terminal()
    with terminal.watch() as (report, cancel):
        problems = verify(settings.data_dir, report, cancel)
    if as_json:
        print_json(problems)
    elif problems:
        rows = [(entry["kind"], entry["path"], entry["problem"]) for entry in problems]
        terminal.show(table(("Artifact", "Path", "Problem"), rows))
    else:
        terminal.show(Text("Everything is as its manifest says.", "bold green"))
    return 1 if problems else 0
