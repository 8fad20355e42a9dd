"""Dataset cards: a manifest told to people, in the form the Hugging Face hub shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mindcorpus.storage.card_head import card_head
from mindcorpus.storage.manifest import sections_of
from mindcorpus.storage.row_counts import changes, left_out, rows_dropped, rows_duplicate

WARNING = (
    "Not for clinical use, no crisis handling: texts here are about people in distress, were not "
    "checked by clinicians, and a model trained on them must not stand in for care. Keep to each "
    "source's licence below."
)
_COMMERCIAL = {
    "yes": "allowed",
    "with-conditions": "allowed, with conditions",
    "after-payment": "only after a payment",
    "no": "not allowed",
    "unknown": "unknown: no licence is stated",
}


def corpus_card(manifest: Mapping[str, Any]) -> str:
    """Write the card of a merged corpus from its manifest (without the card's own entry)."""
    return _card(
        manifest,
        "Merged mental-health conversations",
        "One record a line in JSON and CSV, the same rows in Parquet: input, response, "
        "rejected_response, source, type, tags. The lineage file tells, for every row that was "
        "read, where it came from and what became of it.",
    )


def format_card(manifest: Mapping[str, Any]) -> str:
    """Write the card of a training format from its manifest (without the card's own entry)."""
    return _card(
        manifest,
        f"Mental-health conversations: {manifest['title']}",
        f"Made from the corpus whose manifest has sha256 `{manifest['corpus_sha256']}`."
        f"{_parts(manifest)}",
    )


def _parts(manifest: Mapping[str, Any]) -> str:
    """Say how a format is split, or that it is not, and which one has the same lines, split."""
    if manifest["split"]:
        return "".join(_of_section(section) for section in sections_of(manifest))
    told = "\n\n**Not split**: the records of train and validation are in it together."
    if divided := manifest["divided"]:
        told += (
            f" The folder `{divided['path']}/` (`mindcorpus prepare {divided['format']}`) has the "
            "same lines, split; who trains on this file cannot evaluate on any validation part."
        )
    return told


def _of_section(section: Mapping[str, Any]) -> str:
    """Say how the records of a section are split, and the share that validation truly has."""
    split = section["split"]
    named = "name" in section
    told = [f"\n\n**{section['name']}**: {section['rows']:,} records."] if named else []
    told += [
        f"\n{name}: {part['rows']:,} rows in {part['groups']:,} groups that stay together."
        for name, part in split["parts"].items()
    ]
    return "".join([*told, f"\nValidation has {split['share']:.1%} of them."])


def _card(manifest: Mapping[str, Any], title: str, text: str) -> str:
    sources = manifest["sources"]
    lines = [
        *card_head(manifest, title),
        "",
        f"# {title}",
        "",
        text,
        "",
        f"> **{WARNING}**",
        "",
        f"{manifest['rows']:,} records, by mindcorpus {manifest['tool']['version']}.",
        "",
        *_how_to_load(manifest),
        *_lengths(manifest),
        *(line for section in sections_of(manifest) for line in _origins(section)),
        "## Licences",
        "",
        *_table(
            ("source", "licence", "commercial use", "copies", "changes", "terms"),
            (
                (
                    source["name"],
                    source["licence"]["id"],
                    _COMMERCIAL[source["licence"]["commercial"]],
                    # A corpus of an earlier release knows neither.
                    source["licence"].get("redistribution", "unknown"),
                    source["licence"].get("modification", "unknown"),
                    source["licence"]["terms"],
                )
                for source in sources
            ),
        ),
        "",
        *(line for section in sections_of(manifest) for line in _account(section)),
        *(
            ["## Warnings", "", *(f"- {warning}" for warning in manifest["warnings"]), ""]
            if manifest["warnings"]
            else []
        ),
        "## Files",
        "",
        *_table(
            ("file", "rows", "bytes", "sha256"),
            (
                (
                    output["path"],
                    f"{output['rows']:,}",
                    f"{output['bytes']:,}",
                    f"`{output['sha256']}`",
                )
                for output in manifest["outputs"]
            ),
        ),
        "",
    ]
    return "\n".join(lines)


def _of(section: Mapping[str, Any]) -> str:
    return f" of {section['name']}" if "name" in section else ""


def _origins(section: Mapping[str, Any]) -> list[str]:
    """Tell where the records of a section come from."""
    rows = (
        (
            source["name"],
            source["origin"],
            source["revision"] or "",
            f"{source['read']:,}",
            f"{source['kept']:,}",
            f"{rows_dropped(source):,}",
            f"{rows_duplicate(source):,}",
        )
        for source in section["sources"]
    )
    head = ("source", "origin", "revision", "read", "kept", "dropped", "duplicates")
    return [f"## Sources{_of(section)}", "", *_table(head, rows), ""]


def _account(section: Mapping[str, Any]) -> list[str]:
    """Tell what a section leaves out, and what was changed of the rest."""
    reasons = _reasons(section["sources"]) or ["Nothing."]
    return [
        f"## Left out{_of(section)}, and why",
        "",
        *reasons,
        "",
        *_changed(section["sources"], _of(section)),
    ]


def _how_to_load(manifest: Mapping[str, Any]) -> list[str]:
    """Give the section with the lines that load it, where the manifest has some."""
    if not (snippet := manifest.get("snippet", "")):
        return []
    return ["## How to load it", "", "```", *snippet.rstrip("\n").split("\n"), "```", ""]


def _lengths(manifest: Mapping[str, Any]) -> list[str]:
    """Tell how long records are in tokens, in all and by source; nothing of a corpus."""
    lines: list[str] = []
    for section in sections_of(manifest):
        tokens = section.get("tokens")
        if not tokens or not tokens["lengths"]:
            continue
        by = f"counted by {tokens['tokenizer']}" if tokens["exact"] else "an estimate"
        rows = (
            (
                name,
                f"{each['rows']:,}",
                f"{each['mean']:,.0f}",
                *(f"{each[key]:,}" for key in ("p50", "p95", "max")),
            )
            for name, each in tokens["lengths"].items()
        )
        head = ("source", "records", "mean", "p50", "p95", "longest")
        lines += [f"## Lengths{_of(section)} in tokens, {by}", "", *_table(head, rows), ""]
    return lines


def _reasons(sources: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"- {source['name']}: {each.rows:,} × {each.reason}"
        + (f" of {each.twin}" * bool(each.twin))
        for source in sources
        for each in left_out(source)
    ]


def _changed(sources: Iterable[Mapping[str, Any]], of: str) -> list[str]:
    """Tell what was changed of records that were kept; nothing where nothing was."""
    rows = changes({source["name"]: source for source in sources})
    if not rows:
        return []
    cells = ((name, change, f"{count:,}") for name, change, count in rows)
    return [f"## Changed{of}", "", *_table(("source", "change", "records"), cells), ""]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    shown = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in shown]
