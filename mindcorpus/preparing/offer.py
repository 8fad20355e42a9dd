"""Which training formats there are, what each would hold of the corpus today, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindcorpus.errors import CorruptArtifactError, SettingsError
from mindcorpus.formats.instructions import snippet_of
from mindcorpus.formats.registry import FORMATS, load
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.storage.exports import trained_tokens
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.status import Base, base_of, entry_of
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from mindcorpus.formats.base import Takes
    from mindcorpus.preparing.selection import Selection

Held = Mapping[str, tuple["OfferedSection", ...]]
"""By format, what its sections would hold; one that cannot be loaded is not there."""


@dataclass(frozen=True)
class OfferedSection:
    """Records of one kind within a format."""

    name: str
    takes: str
    """`answers`: records with a response; `pairs`: those with a rejected one as well."""
    rows: int
    """How many of them the corpus has for it."""


@dataclass(frozen=True)
class Offer:
    """A training format as it can be had."""

    name: str
    title: str
    summary: str
    task: str
    """`fine-tuning`, `preference` or `annotation`."""
    readers: tuple[str, ...]
    """Who reads it with code of theirs."""
    others: tuple[str, ...]
    """Who else takes it by what they publish."""
    proof: str
    """How that it is read is proved: by the readers' own `loader`, for others by a `schema` of the
    provider's page, or not here: `none`."""
    path: str
    """Its file or folder, within the data folder."""
    rows: int | None
    """Records that a plain prepare would give it today, in its first section; None: without a
    corpus, or if the format cannot be loaded."""
    sections: tuple[OfferedSection, ...]
    in_all: bool
    """Whether it belongs to `all`."""
    exists: bool
    damaged: bool
    """Whether what is there cannot be read."""
    outdated: bool
    outdated_by: str | None
    """`corpus-changed` or `split-changed`."""
    tokens: dict[str, Any] | None
    """How long the records are that it holds, as its manifest tells; None where there is none."""
    trained_tokens: int
    """How many of all these tokens a trainer learns from: those of its train part."""
    snippet: str
    """What loads it and trains on it, Python or commands; "" where there is none."""

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return asdict(self)


def offers(store: Store, held: Held | None = None, root: Path | None = None) -> list[Offer]:
    """List the formats, in their order; `held` is what `count_rows` counted of the corpus there is.

    Snippets name what they load within the folder `root`; without one, within the data folder.
    """
    base, held = base_of(store), held or {}
    found = []
    for name, entry in FORMATS.items():
        within = root or Path()
        there, manifest, damaged = _there(store, name, base)
        sections = held.get(name, ())
        found.append(
            Offer(
                name=name,
                title=entry.title,
                summary=entry.summary,
                task=entry.task,
                readers=entry.readers,
                others=entry.others,
                proof=entry.proof,
                path=entry.path,
                rows=sections[0].rows if sections else None,
                sections=tuple(sections),
                in_all=entry.in_all,
                exists=there["exists"],
                damaged=damaged,
                outdated=there.get("outdated", False),
                outdated_by=there.get("outdated_by"),
                tokens=manifest.get("tokens"),
                trained_tokens=trained_tokens(manifest) if manifest else 0,
                snippet=snippet_of(entry, within / entry.path, manifest),
            )
        )
    return found


def _there(store: Store, name: str, base: Base) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """Give how a format stands, its manifest ({} for none), and whether that cannot be read."""
    try:
        entry, manifest = entry_of(store, name, base)
    except CorruptArtifactError:
        return {"exists": True}, {}, True
    return entry, manifest or {}, False


def count_rows(corpus: Path) -> Held:
    """Count what each format would hold of a corpus' folder, if it were prepared without options.

    Reads the lineage alone, a few hundred bytes a row, and no text. Raises `CorruptArtifactError`.
    """
    # Late: listing formats needs neither numbers nor Arrow.
    import numpy as np

    from mindcorpus.corpus.row_facts import read_row_facts
    from mindcorpus.preparing.carrying import narrow
    from mindcorpus.preparing.sampling import Known
    from mindcorpus.preparing.selection import select

    rows = read_row_facts(corpus / f"{CORPUS}.lineage.parquet")
    request = PrepareRequest(system_policy="own")
    # Without a mixture or a cap neither parts nor seed choose anything.
    known = Known(rows, np.zeros(len(rows.source), np.int8), 0)
    chosen: dict[Takes, Selection | None] = {}

    def taken(takes: Takes) -> Selection | None:
        if takes not in chosen:
            try:
                chosen[takes] = select(known, request, takes)
            except SettingsError:  # there is no such record
                chosen[takes] = None
        return chosen[takes]

    found: dict[str, tuple[OfferedSection, ...]] = {}
    for name, entry in FORMATS.items():
        try:
            sections = load(name).sections
        except SettingsError:  # told where it is asked for; the others are listed all the same
            continue
        settings = {each: getattr(request, each) for each in entry.settings}
        counted = []
        for section in sections:
            selection = taken(section.takes)
            try:
                count = narrow(selection, entry, settings, section).count if selection else 0
            except SettingsError:  # it carries none of them
                count = 0
            counted.append(OfferedSection(section.name, section.takes, count))
        found[name] = tuple(counted)
    return found


def count_rows_there(store: Store) -> Held | None:
    """Count what each format would hold of the corpus there is; None without one."""
    if not store.corpus_exists():
        return None
    with store.reading("corpus") as corpus:
        return count_rows(corpus)
