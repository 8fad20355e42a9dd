"""The card and the manifest of a format that was made, with an account of every record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mindcorpus._version import __version__
from mindcorpus.formats.base import Format, Made
from mindcorpus.formats.entry import FormatEntry
from mindcorpus.formats.instructions import snippet_of
from mindcorpus.formats.registry import FORMATS
from mindcorpus.preparing.carrying import total_changes, warnings_of, with_changes
from mindcorpus.preparing.mixture import Choice
from mindcorpus.storage.cards import WARNING, format_card
from mindcorpus.storage.description import write_description
from mindcorpus.storage.manifest import SCHEMA_VERSION, describe
from mindcorpus.warning import DataWarning, ranked


def describe_format(
    format_: Format,
    shaped: Mapping[str, Any],
    corpus_manifest: Mapping[str, Any],
    choices: Mapping[str, Choice],
    made: Made,
    without: Mapping[str, str],
) -> None:
    """Write a format's card and manifest; `shaped` says what it is, and of which corpus it is.

    `choices` is what each of its sections takes; the first one is what the manifest tells first.
    `without` are those that no record fits, and why.
    """
    folder, entry = format_.folder, format_.entry
    sources = {each["name"]: each for each in corpus_manifest["sources"]}
    sections = [_section(name, choice, made, sources) for name, choice in choices.items()]
    first, choice = sections[0], next(iter(choices.values()))
    warnings = [
        *warnings_of(first["changed"], choice.count),
        *made.warnings,
        *(
            DataWarning("section-left-out", f"It holds no {section}: {why}.")
            for section, why in without.items()
        ),
        *choice.warnings,
        *_source_warnings(sources, choices.values()),
        DataWarning("clinical-use", WARNING),
    ]
    warnings += [
        DataWarning("split-share", each["split"]["note"])
        for each in sections
        if each["split"]["note"]
    ]
    whole = all(each.part is None for each in made.placed)
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": shaped["kind"],
        "title": entry.title,
        "tool": {"name": "mindcorpus", "version": __version__},
        "settings": shaped["settings"],
        "corpus_sha256": shaped["corpus_sha256"],
        "split_id": first["split"]["id"],
        "rows": first["rows"],
        "skipped": first["skipped"],
        "changed": first["changed"],
        "repeats": first["repeats"],
        "sources": first["sources"],
        # A file of all parts together is not split, though each of its records has its part.
        "split": None if whole else first["split"],
        "divided": _divided(entry) if whole else None,
        "tokens": first["tokens"],
        "sections": sections if len(sections) > 1 else [],
        "findings": list(made.findings),
        "finding_counts": dict(made.finding_counts),
        "warnings": ranked(warnings),
        "configs": format_.configs(made),
        "snippet": "",  # it tells of parts and sections, which the manifest has
        "outputs": describe(sorted(made.outputs, key=lambda output: output.path), folder),
    }
    manifest["snippet"] = snippet_of(entry, entry.path, manifest)
    _assert_rows(made, choices, manifest)
    write_description(folder, manifest, format_card)


def _divided(entry: FormatEntry) -> dict[str, str] | None:
    """Name the format that has the same lines, split, and its folder; None where none has."""
    if not entry.divided:
        return None
    return {"format": entry.divided, "path": FORMATS[entry.divided].path}


def _section(name: str, choice: Choice, made: Made, sources: Mapping[str, Any]) -> dict[str, Any]:
    """Tell of one section: its records, what was left out and changed, and how it is split."""
    accounts = with_changes(choice.sources, made.changed.get(name, {}))
    return {
        "name": name,
        "rows": choice.count,
        "skipped": choice.skipped,
        "changed": total_changes(accounts),
        "repeats": choice.repeats,
        "sources": [
            {**_without_counts(sources[source]), **counts} for source, counts in accounts.items()
        ],
        "split": choice.proof,
        "tokens": choice.lengths.as_dict(choice.tokenizer),
    }


def _source_warnings(sources: Mapping[str, Any], choices: Collection[Choice]) -> list[DataWarning]:
    """Pass on what the corpus' manifest says of the sources that are in this format."""
    return [
        DataWarning("licence", entry["licence"]["warning"])
        for name, entry in sources.items()
        if entry["licence"]["warning"]
        and any(choice.sources.get(name, {}).get("kept") for choice in choices)
    ]


def _without_counts(entry: Mapping[str, Any]) -> dict[str, Any]:
    known = ("name", "origin", "revision", "licence", "language")
    # A corpus of an earlier release says nothing of languages.
    return {name: entry[name] for name in known if name in entry}


def _assert_rows(made: Made, choices: Mapping[str, Choice], manifest: Mapping[str, Any]) -> None:
    """Nothing vanishes: each section's files of all parts, and of each part, hold its records."""
    rows = {output["path"]: output["rows"] for output in manifest["outputs"]}
    for name, choice in choices.items():
        mine = [each for each in made.placed if each.section == name]
        assert mine, manifest["kind"]
        held = {each: _rows_in(rows, each.file) // each.per_record for each in mine}
        wholes = [held[each] for each in mine if each.part is None]
        if parts := [held[each] for each in mine if each.part is not None]:
            wholes.append(sum(parts))
        assert all(count == choice.count for count in wholes), manifest["kind"]
        for source, entry in choice.sources.items():
            assert entry["read"] == entry["kept"] + sum(entry["dropped"].values()), source


def _rows_in(rows: Mapping[str, int], file: str) -> int:
    """Add up the rows of a file, or of those in a folder."""
    return sum(count for path, count in rows.items() if path == file or path.startswith(f"{file}/"))
