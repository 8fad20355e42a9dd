"""What commands show of corpora and formats, drawn of plain values: made here or by a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.filesize import decimal
from rich.text import Text

from mindcorpus.cli.tables import (
    accounts,
    changed_records,
    distribution,
    heading,
    missing_sources,
    moment,
    table,
    warnings_and_notes,
)
from mindcorpus.command_words import in_commands
from mindcorpus.preparing.offer_words import lengths_told
from mindcorpus.remedies import joined
from mindcorpus.warning import together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from mindcorpus.errors import MindcorpusError

_TAGS = 15


def advice_of(error: MindcorpusError) -> str:
    """Say what to do about an error to who types commands; "" where there is nothing to say."""
    return joined(error.hint, in_commands(error.remedy))


def corpus_parts(
    made: Mapping[str, Any], files: Sequence[tuple[object, int]], following: str, full: str
) -> list[RenderableType]:
    """Show a merge: its statistics, warnings, notes and missing sources; files with their bytes."""
    statistics = made["statistics"]
    records = statistics["records"]
    read = sum(source["read"] for source in statistics["sources"].values())
    parts: list[RenderableType] = [
        *_merged(made, f"{records:,} records from {read:,} rows"),
        heading("Every row accounted for"),
        accounts(statistics["sources"]),
        *changed_records(statistics["sources"]),
        heading("Sources"),
        distribution("Source", statistics["by_source"], records, full=full),
        heading("Tags"),
        distribution("Tag", statistics["by_tag"], records, full=full, limit=_TAGS),
    ]
    if (more := len(statistics["by_tag"]) - _TAGS) > 0:
        parts.append(Text(f"and {more:,} more: mindcorpus stats", "dim"))
    parts += warnings_and_notes(made["warnings"], made["notes"])
    parts += missing_sources(made["missing"])
    parts += [
        heading("Files"),
        table(("Path", "Size"), [(path, decimal(size)) for path, size in files]),
    ]
    # A service of an earlier release does not look.
    if exports := made.get("exports_holding"):
        parts.append(Text(f"\n{still_holding(exports)}", "yellow"))
    if following:
        parts.append(Text(f"\n{following}"))
    return parts


def _merged(made: Mapping[str, Any], what: str) -> list[RenderableType]:
    """Say that there is a corpus, and what of it was read now."""
    # A service of an earlier release does not know.
    if made.get("unchanged"):
        return [
            heading(f"Nothing has changed: the corpus stays as it is, {what}"),
            Text("--rehash reads all files and writes it anew.", "dim"),
        ]
    told: list[RenderableType] = [heading(f"Merged {what}")]
    parts = made.get("parts")
    if parts and (parts["reused"] or parts["damaged"]):
        told.append(Text(parts_told(parts), "yellow" if parts["damaged"] else "dim"))
    return told


def parts_told(parts: Mapping[str, int]) -> str:
    """Say of how many parts of sources a corpus is made, and where it had them from."""
    damaged = f", {parts['damaged']:,} of them for one that was damaged" if parts["damaged"] else ""
    return f"Parts of sources: {parts['reused']:,} re-used, {parts['made']:,} made{damaged}."


def size_of(name: str, outputs: Sequence[Mapping[str, Any]]) -> int:
    """Add up what a manifest's outputs say of a file, or of a folder's files."""
    return sum(
        output["bytes"]
        for output in outputs
        if output["path"] == name or output["path"].startswith(f"{name}/")
    )


def split_parts(split: Mapping[str, Any] | None) -> list[RenderableType]:
    """Show how the corpus is split, once for all formats; nothing where that is not known."""
    if split is None:
        return []
    rows = [(part, counts["rows"], counts["groups"]) for part, counts in split["parts"].items()]
    folds = split["settings"]["folds"]
    said = f"seed {split['settings']['seed']}" + (f", {folds} folds" if folds else "")
    return [
        heading(f"The split of the corpus, for all formats ({said})"),
        table(("Part", "Records", "Groups"), rows),
        Text("; ".join(f"{what}: {count:,}" for what, count in _on_both_sides(split))),
    ]


def format_parts(
    name: str, made: Mapping[str, Any], findings: RenderableType | None
) -> list[RenderableType]:
    """Show a training format: rows and path, what was skipped, repeated and changed, findings."""
    parts: list[RenderableType] = [heading(f"{name}: {made['rows']:,} records in {made['path']}")]
    # A service of an earlier release tells of no sections.
    if sections := made.get("sections"):
        for section in sections:
            parts += [
                Text(f"\n{section['name']}: {section['rows']:,} records", "bold"),
                *_account_parts(section),
            ]
    else:
        parts += _account_parts(made)
    if findings is not None:
        parts += [Text(), findings]
    return parts


def _account_parts(made: Mapping[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if made["split"] is not None:
        counts = made["split"]["parts"].items()
        told = [", ".join(f"{part} {each['rows']:,}" for part, each in counts)]
        told += [f"{what}: {count:,}" for what, count in _on_both_sides(made["split"])]
        parts.append(Text("; ".join(told)))
    if lengths := lengths_told(made.get("tokens")):
        parts.append(Text(lengths))
    if made["skipped"]:
        parts += [Text(), table(("Skipped because", "Records"), list(made["skipped"].items()))]
    # A service of an earlier release tells of no changes, and of no repeats.
    if changed := made.get("changed"):
        parts += [Text(), table(("Taken, but changed", "Records"), list(changed.items()))]
    if repeats := made.get("repeats"):
        parts += [Text(), table(("There again, by source", "Records"), list(repeats.items()))]
    return parts


def _on_both_sides(split: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Give what was looked for on both sides of a split; an earlier release looked at inputs."""
    looked = {"overlap": "Inputs in both", "opening_overlap": "openings", "group_overlap": "groups"}
    return [(what, split[key]) for key, what in looked.items() if key in split]


def ending_parts(
    formats: Mapping[str, Mapping[str, Any]], uses: Sequence[str]
) -> list[RenderableType]:
    """Show the warnings of all formats that were made, and what can be done with each."""
    warnings = together(made["warnings"] for made in formats.values())
    return [*warnings_and_notes(warnings), heading("Next"), *(Text(use) for use in uses)]


def use_of(name: str, errors: Sequence[str], use: str) -> str:
    """Say what can be done with a format, or why nothing can be done with it yet."""
    if errors:
        return f"{name}: would be refused, mend it first: {'; '.join(errors)}"
    return f"{name}: {use}"


def existing(entry: Mapping[str, Any]) -> str:
    """Say of an artifact that it exists, and what it holds."""
    return f"{entry['path']} exists: {entry['rows']:,} records, built {moment(entry['built'])}"


def left_out_for(name: str, licence: Mapping[str, Any]) -> str:
    """Say why a source is left out where only commercial use counts."""
    use = licence["commercial"].replace("-", " ")
    return f"{name}: {licence['id']}, commercial use: {use}. {licence['terms']}"


def otherwise(there: str, differences: Sequence[str]) -> str:
    """Say of a format that exists how it would change; without differences it is up to date."""
    if not differences:
        return f"{there}; it is up to date"
    return f"{there}; it would change: {'; '.join(differences)}"


def of_another_split(path: str, differences: Sequence[str]) -> str:
    """Say of a format that is not there that the corpus would be split anew for it."""
    return f"{path} would be of another split of the corpus: {'; '.join(differences)}"


_OUTDATED = {
    "corpus-changed": "made from an earlier corpus",
    "split-changed": "of an earlier split of the corpus",
}


def outdated_word(reason: str | None) -> str:
    """Say by what a format is outdated; a service of an earlier release tells no reason."""
    return _OUTDATED.get(reason or "corpus-changed", str(reason))


def outdated_of(found: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Give the formats that are outdated, each with the words for why."""
    return {
        kind: outdated_word(entry.get("outdated_by"))
        for kind, entry in found.items()
        if entry.get("outdated")
    }


def outdated(kinds: Mapping[str, str], command: str = "mindcorpus", options: str = "") -> str:
    """Name the formats that are outdated, with the words for why, and how to make them anew."""
    one = f" {next(iter(kinds))}" if len(kinds) == 1 else ""
    told = [
        f"Outdated, {why}: {', '.join(kind for kind in kinds if kinds[kind] == why)}."
        for why in dict.fromkeys(kinds.values())
    ]
    return f"{' '.join(told)} Next: {command} prepare{one}{options}"


def still_holding(exports: Mapping[str, Sequence[str]]) -> str:
    """Name the formats that hold records of sources that the corpus has none of any more."""
    told = ", ".join(f"{name} ({', '.join(sources)})" for name, sources in exports.items())
    return f"These exports still hold records of sources that are not in the corpus: {told}."


def status_parts(
    found: Mapping[str, Mapping[str, Any]], command: str = "mindcorpus", options: str = ""
) -> list[RenderableType]:
    """Show which artifacts exist, how large and how old they are."""
    parts: list[RenderableType] = [
        table(
            ("Artifact", "Records", "Size", "Built", "Path"),
            [_status_row(kind, entry) for kind, entry in found.items()],
        )
    ]
    if old := outdated_of(found):
        parts.append(Text(f"\n{outdated(old, command, options)}", "yellow"))
    parts += _kept_parts(found)
    warnings = together(entry.get("warnings", ()) for entry in found.values())
    return [*parts, *warnings_and_notes(warnings)]


def _kept_parts(found: Mapping[str, Mapping[str, Any]]) -> list[RenderableType]:
    """Show the builds that a rollback can bring back; nothing where none is kept."""
    rows = [
        (
            kept["build"],
            f"{kept['rows']:,}" if kept["rows"] is not None else "damaged",
            decimal(kept["bytes"] or 0),
            moment(kept["built"]) if kept["built"] else "",
            moment(kept["replaced"]),
        )
        for entry in found.values()
        for kept in entry.get("kept", ())
    ]
    if not rows:
        return []
    head = ("Kept, for a rollback", "Records", "Size", "Built", "Replaced")
    return [Text(), table(head, rows)]


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


def _how_counted(statistics: Mapping[str, Any]) -> list[RenderableType]:
    """Say of which records lengths are, and what percentiles; not known of an earlier release's."""
    method = statistics.get("percentiles")
    if not method:
        return []
    return [Text(f"Of responses, records that have one. Percentiles are {method}.", "dim")]


def statistics_parts(statistics: Mapping[str, Any], full: str) -> list[RenderableType]:
    """Show the corpus in numbers."""
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
            ("Source", "Text", "Records", "Mean", "Median", "5%", "95%", "Longest"),
            [
                (
                    source,
                    side,
                    # A corpus of an earlier release does not say it.
                    units.get("rows", ""),
                    f"{words['mean']:,.1f}",
                    *(words[key] for key in ("median", "p5", "p95", "max")),
                )
                for source, sides in statistics["lengths"].items()
                for side, units in sides.items()
                for words in (units["words"],)
            ],
        ),
        *_how_counted(statistics),
        heading("Every row accounted for"),
        accounts(statistics["sources"]),
        *changed_records(statistics["sources"]),
    ]
    if statistics["overlap"]:
        rows = [
            (" and ".join(pair["sources"]), pair["inputs"], pair["records"])
            for pair in statistics["overlap"]
        ]
        parts += [heading("Shared by two sources"), table(("Sources", "Inputs", "Records"), rows)]
    return parts
