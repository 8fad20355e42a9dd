"""What a prepare is to make, and of which split; what may not be replaced is refused before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mindcorpus.corpus.row_facts import RowFacts
from mindcorpus.errors import ExistsError, SettingsError
from mindcorpus.formats.base import Format
from mindcorpus.formats.registry import load
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.corpus_split import CorpusSplit, KnownSplit, known_split, write_split
from mindcorpus.preparing.existing import look_at, refuse_edited, refuse_other_settings
from mindcorpus.preparing.not_made import not_made
from mindcorpus.preparing.planning import Wanted
from mindcorpus.remedies import Replace
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.status import Base
from mindcorpus.storage.store import Store


def load_all(names: Sequence[str]) -> tuple[dict[str, type[Format]], dict[str, SettingsError]]:
    """Import formats; raises `SettingsError` where none can be.

    The others are made first: one that is broken keeps nobody's work from being done.
    """
    classes: dict[str, type[Format]] = {}
    broken: dict[str, SettingsError] = {}
    for name in names:
        try:
            classes[name] = load(name)
        except SettingsError as error:
            broken[name] = error
    if not classes:
        raise not_made(broken)
    return classes, broken


def choose(
    store: Store,
    classes: Mapping[str, type[Format]],
    request: PrepareRequest,
    plain: PrepareRequest,
    base: Base,
) -> tuple[dict[str, Wanted], dict[str, dict[str, Any]]]:
    """Give which formats are to be made, each with what request, and the manifests of those kept.

    Raises `ExistsError` where none is to be made, and for one that may not be replaced.
    """
    wanted: dict[str, Wanted] = {}
    kept: dict[str, dict[str, Any]] = {}
    for name, made_by in classes.items():
        store.refuse_foreign(name)
        if request.force or store.is_own(name) or not store.exists(name):
            wanted[name] = Wanted(made_by, request)
            continue
        there = look_at(store, name, request, plain, base)
        if there.manifest is None:
            store.refuse_to_overwrite(name, force=False)
        if there.differences:
            refuse_other_settings(store, name, there)
        if there.is_due:
            refuse_edited(store, name)
            wanted[name] = Wanted(made_by, there.request, there.build)
        elif there.manifest is not None:
            kept[name] = there.manifest
    if not wanted:
        for name in kept:
            refuse_edited(store, name)
        store.refuse_to_overwrite(next(iter(kept)), force=False)
    return wanted, kept


def stage_split(staging: Staging, split: CorpusSplit, rows: RowFacts, corpus_sha256: str) -> Path:
    """Write the split into a folder of the staging area: before anything is published."""
    folder = staging.output / "split"
    folder.mkdir(mode=0o700)
    write_split(folder, split, rows, corpus_sha256)
    return folder


def publish_split(
    store: Store,
    folder: Path,
    split: CorpusSplit,
    corpus_sha256: str,
    staging: Staging,
    known: KnownSplit,
    request: PrepareRequest,
) -> None:
    """Publish a split that was staged, unless it is there, or its corpus was replaced meanwhile.

    Raises `ExistsError` where somebody split the corpus otherwise since this began.
    """
    if store.digest("corpus") != corpus_sha256:
        return
    now = known_split(store, corpus_sha256)
    if now.split is not None and now.split.id == split.id:
        return
    store.publish("split", folder, staging, force=request.force, replaces=known.build)


def refuse_another_split(store: Store, split: CorpusSplit, *, force: bool) -> None:
    """Raise `ExistsError` where another split would make formats outdated that nobody gave up."""
    there = [name for name, exists in store.prepared().items() if exists]
    if not there or force:
        return
    settings = split.settings
    raise ExistsError(
        f"the corpus is split already (seed {settings.seed}, validation "
        f"{settings.validation_share:g}); another split makes every format outdated: "
        f"{', '.join(there)}",
        remedy=Replace(),
    )
