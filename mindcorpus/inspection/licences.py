"""The licence of a source as its files or the hub's card name it, in an entry's terms.

What a word allows is set down here for the common ones; of all others it is not known, which
`--commercial-only` leaves out and a public `push` refuses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mindcorpus.sources.catalog import Commercial, Licence, Permission

_BYTES = 64 * 1024
_FILES = ("LICENSE", "LICENCE", "LICENSE.md", "LICENSE.txt", "LICENCE.md", "COPYING")
_CARD = "README.md"


@dataclass(frozen=True)
class FoundLicence:
    """A licence, and what says so: a file's name, `hub card`, `you`, or "" where nothing does."""

    licence: Licence
    said_by: str


@dataclass(frozen=True)
class _Known:
    id: str
    commercial: Commercial
    terms: str
    modification: Permission = "allowed"
    """Copies may be handed on under each of them; what is made of them, not where it says ND."""


#: By the words of the hub's cards (huggingface.co/docs/hub/repositories-licenses); SPDX's
#: identifiers are the same words but for capitals.
_KNOWN: Mapping[str, _Known] = {
    "mit": _Known("MIT", "yes", "MIT: keep the copyright notice."),
    "apache-2.0": _Known("Apache-2.0", "yes", "Apache 2.0: keep the notices, state changes."),
    "bsd-2-clause": _Known("BSD-2-Clause", "yes", "BSD: keep the copyright notice."),
    "bsd-3-clause": _Known("BSD-3-Clause", "yes", "BSD: keep the copyright notice."),
    "cc0-1.0": _Known("CC0-1.0", "yes", "CC0: no conditions."),
    "unlicense": _Known("Unlicense", "yes", "Unlicense: no conditions."),
    "odc-by": _Known("ODC-By-1.0", "yes", "ODC-By: credit the database."),
    "cdla-permissive-2.0": _Known(
        "CDLA-Permissive-2.0", "yes", "CDLA Permissive 2.0: hand the agreement on with the data."
    ),
    "cc-by-3.0": _Known("CC-BY-3.0", "yes", "CC BY 3.0: credit the authors."),
    "cc-by-4.0": _Known("CC-BY-4.0", "yes", "CC BY 4.0: credit the authors, state changes."),
    "cc-by-sa-3.0": _Known(
        "CC-BY-SA-3.0", "with-conditions", "CC BY-SA 3.0: credit, and share under the same terms."
    ),
    "cc-by-sa-4.0": _Known(
        "CC-BY-SA-4.0", "with-conditions", "CC BY-SA 4.0: credit, and share under the same terms."
    ),
    "odbl": _Known("ODbL-1.0", "with-conditions", "ODbL: credit, and share under the same terms."),
    "gpl-3.0": _Known("GPL-3.0-only", "with-conditions", "GPL 3.0: share under the same terms."),
    "cc-by-nc-4.0": _Known("CC-BY-NC-4.0", "no", "CC BY-NC 4.0: credit; no commercial use."),
    "cc-by-nc-sa-4.0": _Known(
        "CC-BY-NC-SA-4.0", "no", "CC BY-NC-SA 4.0: credit, the same terms; no commercial use."
    ),
    "cc-by-nd-4.0": _Known(
        "CC-BY-ND-4.0",
        "unknown",
        "CC BY-ND 4.0: credit; nothing that is made of it is shared.",
        "forbidden",
    ),
    "cc-by-nc-nd-4.0": _Known(
        "CC-BY-NC-ND-4.0",
        "no",
        "CC BY-NC-ND 4.0: credit; no commercial use, nothing made of it.",
        "forbidden",
    ),
}
_ALSO = {known.id.lower(): known for known in _KNOWN.values()}
#: How the texts of licences begin, or what no other one says.
_TEXTS: tuple[tuple[str, str], ...] = (
    (r"\bMIT License\b|Permission is hereby granted, free of charge", "mit"),
    (r"Apache License\s+Version 2\.0", "apache-2.0"),
    (r"GNU GENERAL PUBLIC LICENSE\s+Version 3", "gpl-3.0"),
    (r"CC0 1\.0|CC0-1\.0", "cc0-1.0"),
    (r"Attribution-NonCommercial-ShareAlike 4\.0|CC[ -]BY-NC-SA[ -]4\.0", "cc-by-nc-sa-4.0"),
    (r"Attribution-NonCommercial-NoDerivatives 4\.0|CC[ -]BY-NC-ND[ -]4\.0", "cc-by-nc-nd-4.0"),
    (r"Attribution-NonCommercial 4\.0|CC[ -]BY-NC[ -]4\.0", "cc-by-nc-4.0"),
    (r"Attribution-ShareAlike 4\.0|CC[ -]BY-SA[ -]4\.0", "cc-by-sa-4.0"),
    (r"Attribution-NoDerivatives 4\.0|CC[ -]BY-ND[ -]4\.0", "cc-by-nd-4.0"),
    (r"Attribution 4\.0|CC[ -]BY[ -]4\.0", "cc-by-4.0"),
    (r"This is free and unencumbered software", "unlicense"),
)
_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)
_LICENCE_LINE = re.compile(
    r"^licen[sc]e:[ \t]*(?:\r?\n[ \t]*-[ \t]*)?[\"']?([\w.+-]{1,60})[\"']?[ \t]*$", re.MULTILINE
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,59}")


def licence_said(word: str, said_by: str) -> FoundLicence:
    """Give the licence that a word stands for: an SPDX identifier, or one of the hub's."""
    known = _KNOWN.get(word.lower()) or _ALSO.get(word.lower())
    if known is not None:
        licence = Licence(
            id=known.id,
            terms=known.terms,
            commercial=known.commercial,
            redistribution="allowed",
            modification=known.modification,
        )
        return FoundLicence(licence, said_by)
    if not _ID.fullmatch(word) or word.lower() in ("other", "unknown"):
        return _unknown(said_by if word else "")
    name = word if word.startswith("LicenseRef-") else f"LicenseRef-{word}"
    terms = f"{word}, as the source calls it: read its terms before it is used."
    return FoundLicence(Licence(id=name, terms=terms, commercial="unknown"), said_by)


def licence_beside(path: Path) -> FoundLicence:
    """Give the licence that lies beside a file, or in a folder: LICENSE, or a README's front."""
    folder = path if path.is_dir() else path.parent
    for name in _FILES:
        text = _begin(folder / name)
        for form, word in _TEXTS:
            if re.search(form, text, re.IGNORECASE):
                return licence_said(word, name)
    front = _FRONT.match(_begin(folder / _CARD))
    if front and (found := _LICENCE_LINE.search(front[1])):
        return licence_said(found[1], _CARD)
    return _unknown("")


def _begin(path: Path) -> str:
    try:
        # No link: it might lead to what is nobody's business here. A pipe would never end.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _unknown(said_by: str) -> FoundLicence:
    terms = "Not known: find out, and write it here, before anything is made of it."
    licence = Licence(
        id="LicenseRef-Unknown",
        terms=terms,
        commercial="unknown",
        warning="Holds material whose licence is not known.",
    )
    return FoundLicence(licence, said_by)
