"""The overview: is there a corpus, what is it made of, which formats are there, what is in work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mindcorpus.errors import CorruptArtifactError, NoCorpusError
from mindcorpus.report.charts import Chart, figures
from mindcorpus.storage.kinds import KINDS as ARTIFACTS
from mindcorpus.storage.kinds import MANIFEST
from mindcorpus.storage.status import Base, base_of
from mindcorpus.storage.store import Store
from web.api.artifacts import files_of
from web.files.downloads import open_artifact
from web.pages.blueprint import pages, show
from web.pages.charts import charts_of
from web.pages.corpus import Corpus, read_corpus, whole_manifest
from web.pages.health import health
from web.pages.job_files import beside
from web.pages.job_view import JobView, describe_job
from web.services import services
from workers.errors import RedisUnavailableError
from workers.jobs.job import KINDS

if TYPE_CHECKING:
    from flask import Response

_FILES_SHOWN = 6
#: Why a format is to be made anew.
OUTDATED = {
    "corpus-changed": "It was made from another corpus than the one there is.",
    "split-changed": "The corpus was split anew since it was made.",
}
_MAY = {
    "yes": "Commercial use: yes",
    "with-conditions": "Commercial use: yes, with conditions",
    "after-payment": "Commercial use: only after payment",
    "no": "Commercial use: no",
    "unknown": "Commercial use: not known",
}
#: The strictest first: a mixture permits what all of its sources do.
_STRICTEST = ("no", "unknown", "after-payment", "with-conditions", "yes")
_MIXTURE = {
    "yes": "Every source allows commercial use.",
    "with-conditions": "Commercial use is allowed where each source's conditions are kept.",
    "after-payment": "Commercial use only after the payment or donation that a source asks for.",
    "no": "Not for commercial use: at least one source forbids it.",
    "unknown": "Not to be passed on or used commercially: at least one source has no licence.",
}


@dataclass(frozen=True)
class Shelf:
    """One kind of artifact: what its manifest says, and its files; or what is wrong with it."""

    kind: str
    title: str
    manifest: dict[str, Any] | None
    built: str
    files: list[dict[str, Any]]
    wrong: str = ""
    outdated: str = ""
    """Why it is to be made anew; "": it is not."""

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file["bytes"] for file in self.files if not file["folder"])

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The files that most people want: archives, and what holds rows by itself."""
        archives = [file for file in self.files if file["folder"]]
        within = tuple(f"{file['path']}/" for file in archives)
        alone = [file for file in self.files if not file["folder"]]
        first = [file for file in alone if not file["path"].startswith(within or "\0")]
        return [*sorted(first, key=beside), *archives][:_FILES_SHOWN]

    @property
    def others(self) -> list[dict[str, Any]]:
        """All other files."""
        shown = {file["path"] for file in self.shown}
        return [file for file in self.files if file["path"] not in shown]


@dataclass(frozen=True)
class Holdings:
    """What the corpus holds: in figures, in charts, and from which sources."""

    figures: Sequence[tuple[str, int]] = ()
    charts: Mapping[str, Chart] = field(default_factory=dict)
    sources: Sequence[Mapping[str, Any]] = ()


@pages.get("/")
def overview() -> Response:
    """Show it."""
    store = Store(services().settings.data_dir)
    base = base_of(store)
    shelf = shelf_of(store, "corpus", "Corpus", base)
    holdings, wrong = _holdings() if shelf and not shelf.wrong else (Holdings(), "")
    return show(
        "overview.html",
        shelf=shelf,
        wrong=(shelf.wrong if shelf else "") or wrong,
        figures=holdings.figures,
        charts=holdings.charts,
        licences=holdings.sources,
        mixture=_mixture(holdings.sources),
        may=_MAY,
        formats={
            kind: (title, shelf_of(store, kind, title, base))
            for kind in store.kinds()
            if kind != "corpus"
            for title in (ARTIFACTS[kind].title,)
        },
        active=_active(),
    )


def shelf_of(store: Store, kind: str, title: str, base: Base) -> Shelf | None:
    """Look at a kind of artifact; None if there is none. A format is outdated by `base`."""
    try:
        with open_artifact(store, kind) as artifact:
            folder = artifact.folder
            manifest = whole_manifest(folder)
            built = datetime.fromtimestamp((folder / MANIFEST).stat().st_mtime, UTC).isoformat()
            reason = None if kind == "corpus" else base.outdated(manifest)
            outdated = OUTDATED[reason] if reason else ""
            return Shelf(kind, title, manifest, built, files_of(artifact, kind), outdated=outdated)
    except NoCorpusError:
        return None
    except (CorruptArtifactError, OSError, KeyError) as error:
        wrong = error.title if isinstance(error, CorruptArtifactError) else "is damaged"
        return Shelf(kind, title, None, "", [], wrong=wrong)


def _holdings() -> tuple[Holdings, str]:
    """Read what the corpus holds, or what is wrong with it."""
    try:
        return read_corpus(_read_holdings), ""
    except (CorruptArtifactError, NoCorpusError) as error:
        return Holdings(), error.title


def _read_holdings(corpus: Corpus) -> Holdings:
    return Holdings(figures(corpus.statistics), charts_of(corpus), corpus.manifest["sources"])


def _mixture(sources: Sequence[Mapping[str, Any]]) -> str:
    kinds = {source["licence"]["commercial"] for source in sources}
    return next((_MIXTURE[kind] for kind in _STRICTEST if kind in kinds), "")


def _active() -> list[JobView]:
    store = services().store
    if any(check.check == "redis" for check in health()):
        return []  # the page says so at its top; where Redis hangs, asking again takes seconds
    try:
        return [describe_job(job) for kind in KINDS if (job := store.in_flight(kind)) is not None]
    except RedisUnavailableError:
        return []
