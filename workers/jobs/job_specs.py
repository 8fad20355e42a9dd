"""What is ordered: a request in full, with all that shapes its result, and a key for the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mindcorpus.corpus_name import DEFAULT_CORPUS
from mindcorpus.errors import SettingsError
from mindcorpus.formats.registry import names_of, with_formats
from mindcorpus.job_requests import DEFAULTED, EVERY, MergeRequest, PrepareRequest
from mindcorpus.merging.choice import choose_sources, choose_stages, names_stages, with_added
from mindcorpus.preparing.standing import split_defaults
from mindcorpus.remedies import ChooseSources
from mindcorpus.settings import Settings
from mindcorpus.sources.fetching import known_sizes
from mindcorpus.stages.registry import names_of as stage_names
from mindcorpus.storage.store import Store
from workers.jobs.job import Kind
from workers.settings import ServiceSettings

#: What each release's records have of how a corpus is split.
_OF_THE_SPLIT = ("seed", "validation_share")


@dataclass(frozen=True)
class PartSpec:
    """A part of a merge: of which source, and what is to be done."""

    source: str
    payload: Mapping[str, Any]
    size: int | None = None
    """Bytes of the whole source, where they are known beforehand."""


@dataclass(frozen=True)
class JobSpec:
    """A job to be; `content_key` is the same for requests that would do the same work."""

    kind: Kind
    request: dict[str, Any]
    content_key: str
    queue: str
    parts: tuple[PartSpec, ...] = ()
    retry_of: str | None = None
    label: str = ""
    """A name that who asks gives it; it makes no other work of it."""
    callback_url: str = ""
    """Who is called when it ends; likewise."""
    corpus: str = DEFAULT_CORPUS


def merge_spec(request: MergeRequest, settings: ServiceSettings) -> JobSpec:
    """Specify a merge, a part for each source; raises `CatalogError` and `SettingsError`."""
    files = tuple(str(file) for file in settings.catalogs)
    request = with_added(request.model_copy(update={"catalogs": files}), settings)
    catalog = choose_sources(request, settings)
    if not catalog.names:
        raise SettingsError("no source is left to merge", remedy=ChooseSources())
    for name in (*request.revisions, *(set(request.upgrade) - {EVERY})):
        catalog[name]
    if request.stages is not None:
        # Those that are on by themselves are the same work, named or not.
        named = stage_names(request.stages)
        stages = None if named == stage_names(None) else named
        request = request.model_copy(update={"stages": stages})
    if names_stages(request):
        choose_stages(request)
    values = request.lasting()
    sizes = known_sizes(catalog, request, settings)
    return JobSpec(
        kind="merge",
        request=values,
        content_key=content_key("merge", values, settings),
        queue="finalise",
        parts=tuple(PartSpec(name, {"source": name}, sizes.get(name)) for name in catalog.names),
    )


def prepare_spec(request: PrepareRequest, settings: Settings) -> JobSpec:
    """Specify training formats, with what the request leaves open as `settings` have it now.

    Seed and share are those of the last split, where there is one: a prepare would take them as
    well, but workers of an earlier release look for them here.

    Raises `SettingsError` for a name that no format has.
    """
    # The same set of formats is the same work, however it is said.
    request = with_formats(request, names_of(request.format, request.formats))
    defaults = settings.model_dump(include=set(DEFAULTED))
    split = split_defaults(Store(settings.data_dir), settings)
    request = request.model_copy(
        update={name: split[name] for name in _OF_THE_SPLIT if getattr(request, name) is None}
    )
    values = request.with_defaults(defaults).for_record().lasting()
    return JobSpec(
        kind="prepare",
        request=values,
        content_key=content_key("prepare", values, settings),
        queue="prepare",
    )


def content_key(
    kind: Kind, values: Mapping[str, Any], settings: Settings, corpus: str = DEFAULT_CORPUS
) -> str:
    """Give a key that is the same for requests that would do the same work on the same corpus.

    For a format that includes the corpus it would be made of: who asks again after a merge wants
    the new one. `force` is part of it, as a job without may not do what one with it may.
    """
    made_of = [values]
    if corpus != DEFAULT_CORPUS:
        # The default one's is as it was when there was no other.
        made_of.append({"corpus_name": corpus})
    if kind == "prepare":
        made_of.append({"corpus": Store(settings.data_dir).digest("corpus")})
    text = json.dumps(made_of, sort_keys=True, default=str)
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()}"
