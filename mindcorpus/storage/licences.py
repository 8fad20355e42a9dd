"""The licences of an artifact's sources: the file that lists them, and the hub's word for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mindcorpus.storage.manifest import sections_of

LICENCES = "LICENSE.md"
#: Identifiers that the hub knows (huggingface.co/docs/hub/repositories-licenses): SPDX's in lower
#: case here, and below those that it calls otherwise.
_AS_SPDX = frozenset(
    (
        "mit",
        "apache-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc0-1.0",
        "unlicense",
        "isc",
        "zlib",
        "mpl-2.0",
        "wtfpl",
        "ecl-2.0",
        "afl-3.0",
        "artistic-2.0",
        "bsl-1.0",
        "cc-by-2.0",
        "cc-by-2.5",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "cc-by-nc-2.0",
        "cc-by-nc-3.0",
        "cc-by-nc-4.0",
        "cc-by-nd-4.0",
        "cc-by-nc-nd-3.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0",
        "cdla-sharing-1.0",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "etalab-2.0",
        "eupl-1.1",
        "eupl-1.2",
    )
)
_OTHERWISE = {
    "odc-by-1.0": "odc-by",
    "odbl-1.0": "odbl",
    "pddl-1.0": "pddl",
    "gpl-3.0-only": "gpl-3.0",
    "gpl-3.0-or-later": "gpl-3.0",
    "licenseref-llama-3-community": "llama3",
}


def kept(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the sources of which an artifact holds rows, in whichever section, in their order."""
    most: dict[str, Mapping[str, Any]] = {}
    for section in sections_of(manifest):
        for source in section["sources"]:
            if source["kept"] > most.get(source["name"], {"kept": 0})["kept"]:
                most[source["name"]] = source
    return [most[source["name"]] for source in manifest["sources"] if source["name"] in most]


def licence_head(sources: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Give what a card's head says of the licence: one that all share and the hub knows, or other.

    `license_link` is a file beside the card, which the hub asks for where no one page has them all.
    """
    licences = {source["licence"]["id"]: source["licence"]["url"] for source in sources}
    if len(licences) > 1:
        return {"license": "other", "license_name": "by-source", "license_link": LICENCES}
    ((name, url),) = licences.items()
    known = name.lower() if name.lower() in _AS_SPDX else _OTHERWISE.get(name.lower())
    if known:
        return {"license": known}
    slug = name.lower().removeprefix("licenseref-")
    return {"license": "other", "license_name": slug, "license_link": url or LICENCES}


def licence_text(manifest: Mapping[str, Any]) -> str:
    """Write the terms of every source of which an artifact holds rows."""
    lines = [
        "# Licences",
        "",
        "Each record is under the licence of its source. All of them hold for the whole.",
        "",
    ]
    for source in kept(manifest):
        licence = source["licence"]
        lines += [
            f"## {source['name']}",
            "",
            f"- Licence: {licence['id']}" + (f", <{licence['url']}>" if licence["url"] else ""),
            f"- Terms: {licence['terms']}",
            f"- Commercial use: {licence['commercial']}",
            # A corpus of an earlier release knows neither.
            f"- Copies to others: {licence.get('redistribution', 'unknown')}",
            f"- Changes: {licence.get('modification', 'unknown')}",
            f"- Records: {source['kept']:,}",
            "",
        ]
    return "\n".join(lines)
