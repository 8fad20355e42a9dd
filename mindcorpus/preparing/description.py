"""The card and the manifest of a format that was made, with an account of every record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mindcorpus._version import __version__
from mindcorpus.formats.base import Made
from mindcorpus.preparing.carrying import total_changes, warnings_of, with_changes
from mindcorpus.preparing.selection import Choice
from mindcorpus.storage.cards import WARNING, format_card
from mindcorpus.storage.description import write_description
from mindcorpus.storage.manifest import SCHEMA_VERSION, describe
from mindcorpus.warning import DataWarning, ranked


def describe_format(
    folder: Path,
    shaped: Mapping[str, Any],
    corpus_manifest: Mapping[str, Any],
    choice: Choice,
    made: Made,
) -> None:
    """Write a format's card and manifest; `shaped` says what it is, and of which corpus it is."""
    sources = {entry["name"]: entry for entry in corpus_manifest["sources"]}
    accounts = with_changes(choice.sources, made.changed)
    changed = total_changes(accounts)
    warnings = [
        *warnings_of(changed, choice.count),
        *made.warnings,
        *choice.warnings,
        *_source_warnings(sources, choice),
        DataWarning("clinical-use", WARNING),
    ]
    if made.split and made.split["note"]:
        warnings.append(DataWarning("split-share", made.split["note"]))
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": shaped["kind"],
        "tool": {"name": "mindcorpus", "version": __version__},
        "settings": shaped["settings"],
        "corpus_sha256": shaped["corpus_sha256"],
        "rows": choice.count,
        "skipped": choice.skipped,
        "changed": changed,
        "sources": [
            {**_without_counts(sources[source]), **counts} for source, counts in accounts.items()
        ],
        "split": made.split,
        "findings": list(made.findings),
        "finding_counts": dict(made.finding_counts),
        "warnings": ranked(warnings),
        "outputs": describe(sorted(made.outputs, key=lambda output: output.path), folder),
    }
    _assert_rows(manifest)
    write_description(folder, manifest, format_card)


def _source_warnings(sources: Mapping[str, Any], choice: Choice) -> list[DataWarning]:
    """Pass on what the corpus' manifest says of the sources that are in this format."""
    return [
        DataWarning("licence", entry["licence"]["warning"])
        for name, entry in sources.items()
        if choice.sources.get(name, {}).get("kept") and entry["licence"]["warning"]
    ]


def _without_counts(entry: Mapping[str, Any]) -> dict[str, Any]:
    known = ("name", "origin", "revision", "licence", "language")
    # A corpus of an earlier release says nothing of languages.
    return {name: entry[name] for name in known if name in entry}


def _assert_rows(manifest: Mapping[str, Any]) -> None:
    """Nothing vanishes: each kind of file holds all rows that were chosen, splits together."""
    rows: dict[str, int] = {}
    for output in manifest["outputs"]:
        if output["rows"]:
            suffix = Path(output["path"]).suffix
            rows[suffix] = rows.get(suffix, 0) + output["rows"]
    assert rows
    assert all(count == manifest["rows"] for count in rows.values()), manifest["kind"]
    for entry in manifest["sources"]:
        assert entry["read"] == entry["kept"] + sum(entry["dropped"].values()), manifest["kind"]
