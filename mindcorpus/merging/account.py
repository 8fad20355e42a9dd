"""The account of a merge: that nothing vanished, and the manifest that says so."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mindcorpus._version import __version__
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.part_set import PartSet
from mindcorpus.merging.parts import Part
from mindcorpus.sources.catalog import Catalog, Source
from mindcorpus.sources.files import Fetched, FetchedFile
from mindcorpus.storage.cards import corpus_card
from mindcorpus.storage.description import write_description
from mindcorpus.storage.files import Written
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.manifest import SCHEMA_VERSION, describe
from mindcorpus.storage.row_counts import is_accounted_for
from mindcorpus.storage.staging import Staging
from mindcorpus.warning import DataWarning, ranked

#: What the hub and its clients read of a published corpus: nothing but the records.
CONFIGS = [
    {
        "config_name": "default",
        "data_files": [{"split": "train", "path": f"{CORPUS}.parquet/*.parquet"}],
    }
]


def write_account(
    request: MergeRequest,
    catalog: Catalog,
    part_set: PartSet,
    absent: Sequence[str],
    statistics: dict[str, Any],
    outputs: Sequence[Written],
    staging: Staging,
) -> dict[str, Any]:
    """Check that every row is accounted for, write card and manifest; give the manifest.

    `absent` are sources without a public home that nobody gave.
    """
    sources = [
        _source_entry(catalog[name], fetched, part_set.layouts[name], statistics)
        for name, fetched in part_set.inputs.items()
    ]
    _assert_accounts(part_set.parts, sources, outputs)
    missing = [
        # Not the error's own words on the file: it may lie in somebody's home folder.
        {"source": name, "code": error.code, "reason": error.title, "hint": error.advice}
        for name, error in part_set.failures.items()
    ]
    losses = part_set.losses_to_tell()
    statistics["losses"] = [loss.as_dict() for loss in losses]
    statistics["missing"] = missing
    statistics["absent"] = list(absent)
    licences = [catalog[name].licence for name in part_set.inputs]
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "kind": "corpus",
        "tool": {"name": "mindcorpus", "version": __version__},
        "settings": settings_entry(request),
        "rows": statistics["records"],
        "sources": sources,
        "missing": missing,
        "absent": list(absent),
        "warnings": ranked(
            [
                *(_missing_warning(entry) for entry in missing),
                *(loss.warning() for loss in losses),
                *(DataWarning("licence", each.warning) for each in licences if each.warning),
            ]
        ),
        "statistics": statistics,
        "configs": CONFIGS,
        "outputs": describe(outputs, staging.output),
    }
    write_description(staging.output, manifest, corpus_card)
    return manifest


def _missing_warning(entry: Mapping[str, Any]) -> DataWarning:
    return DataWarning(
        "missing-source", f"Published without {entry['source']}: {entry['reason']}.", entry["hint"]
    )


def _source_entry(
    source: Source,
    fetched: Fetched,
    layouts: Mapping[str, Any],
    statistics: Mapping[str, Any],
) -> dict[str, Any]:
    entry = {
        "name": source.name,
        "origin": fetched.origin,
        "revision": fetched.revision,
        "files": [_file_entry(file) for file in fetched.files],
        "licence": source.licence.model_dump(),
        "language": list(source.language),
        "mapping_sha256": hashlib.sha256(source.mapping.encode()).hexdigest(),
        **statistics["sources"][source.name],
    }
    if layouts:
        entry["layouts"] = layouts
    if fetched.not_read:
        entry["not_read"] = [asdict(each) for each in fetched.not_read]
    return entry


def _file_entry(file: FetchedFile) -> dict[str, Any]:
    entry = {"path": file.path, "size": file.size, "sha256": file.sha256}
    return {**entry, "guessed_encoding": file.guessed} if file.guessed else entry


def _assert_accounts(
    parts: Sequence[Part], sources: Sequence[Mapping[str, Any]], outputs: Sequence[Written]
) -> None:
    """Hold that the readers, the statistics and the files agree on every row."""
    for source in sources:
        assert is_accounted_for(source), source["name"]
    read = sum(source["read"] for source in sources)
    kept = sum(source["kept"] for source in sources)
    assert read == sum(part.rows_read for part in parts)
    written: Counter[str] = Counter()
    for output in outputs:
        written["records" if output.path.parent.suffix else output.path.suffix] += output.rows
    assert written["records"] == written[".json"] == written[".csv"] == kept
    assert written[".parquet"] == read


def settings_entry(request: MergeRequest) -> dict[str, Any]:
    """Give what of the request shapes the corpus, sorted; no paths of the machine."""
    entry: dict[str, Any] = {
        "sample": request.sample,
        "sources": None if request.sources is None else sorted(set(request.sources)),
        "exclude": sorted(set(request.exclude)),
        "commercial_only": request.commercial_only,
        "allow_missing": request.allow_missing,
        "options": dict(sorted(request.options.items())),
        "paths": sorted(request.paths),
    }
    if request.allow_loss:
        entry["allow_loss"] = dict(sorted(request.allow_loss.items()))
    if request.stages is not None:
        entry["stages"] = sorted(set(request.stages))
    return entry
