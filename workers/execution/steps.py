"""The steps a runner can take: a source's files or parts, the end of a merge, a prepare.

Where others are there to write, a merge or a prepare only plans; then parts of its writing are
steps as well (`write_step.py`), and the seal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from mindcorpus.errors import MindcorpusError
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.distributed import find_files, make_parts
from mindcorpus.merging.distributed_writing import merge_or_spread, seal_parts
from mindcorpus.merging.reading import Reuse
from mindcorpus.merging.shards import SourceFiles
from mindcorpus.preparing.distributed_writing import prepare_or_spread, seal_formats
from mindcorpus.progress import MERGE, Cancellation, Reporter, WholeJob, silent
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.storage.exports import split_told
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.sealing import WrittenParts
from mindcorpus.storage.shared_work import Spread, Writers
from mindcorpus.storage.store import Store
from workers.execution.failures import revived
from workers.settings import ServiceSettings

_Request = TypeVar("_Request", MergeRequest, PrepareRequest)


def run_step(
    job: Mapping[str, Any], settings: ServiceSettings, report: Reporter, cancel: Cancellation
) -> dict[str, Any]:
    """Do what a job's record asks for; gives its result in JSON values.

    Raises what the library's functions raise.
    """
    steps = {"part": _part, "merge": _merge, "prepare": _prepare}
    return steps[job["kind"]](job, settings, report, cancel)


def request_of(model: type[_Request], job: Mapping[str, Any]) -> _Request:
    """Give the request of a job's record, as it was asked for."""
    # By way of JSON, as it came: there a list is a tuple.
    return model.model_validate_json(json.dumps(job["request"]))


def _part(
    job: Mapping[str, Any], settings: ServiceSettings, report: Reporter, cancel: Cancellation
) -> dict[str, Any]:
    request, payload = request_of(MergeRequest, job), job["payload"]
    told = job.get("hosts", {})
    hosts = HostVerdicts({host: known["down"] for host, known in told.items() if known["down"]})
    if "shards" in payload:
        # Bringing the files here was the first part's work, and counts there.
        report = WholeJob(report, MERGE, since=MERGE["read"][0])
        known = SourceFiles.from_dict(payload["found"])
        shards = [known.shards[at] for at in payload["shards"]]
        _, reuse = make_parts(request, known, shards, settings, report, cancel, hosts)
        return {"parts": reuse.as_dict()}
    report = WholeJob(report, MERGE)
    found = find_files(request, payload["source"], settings, report, cancel, hosts)
    if found is None:
        return {"absent": True}
    bundles = found.bundles()
    made = {"found": found.as_dict(), "size": found.size}
    if len(bundles) == 1:
        _, reuse = make_parts(request, found, found.shards, settings, report, cancel, hosts)
        return {**made, "parts": reuse.as_dict()}
    places = {shard: at for at, shard in enumerate(found.shards)}
    return {**made, "bundles": [[places[shard] for shard in bundle] for bundle in bundles]}


def _merge(
    job: Mapping[str, Any], settings: ServiceSettings, report: Reporter, cancel: Cancellation
) -> dict[str, Any]:
    publisher = Publisher(job["id"], job["fence"])
    request = request_of(MergeRequest, job)
    outcomes = {}
    for name, result in job["outcomes"].items():
        try:
            outcomes[name] = _outcome(result)
        except KeyError:  # a release before this one found its files, and said less of them
            outcomes[name] = find_files(request, name, settings, silent, cancel)
    earlier = sum((Reuse(**each) for each in job.get("parts", ())), Reuse())
    if parts := _written_parts(job, settings):
        result = seal_parts(request, outcomes, parts, settings, report, cancel, publisher, earlier)
    else:
        writers = _writers(job, settings)
        made = merge_or_spread(
            request, outcomes, settings, report, cancel, publisher, writers, earlier
        )
        if isinstance(made, Spread):
            return _left_to_others(made)
        result = made
    return {
        "records": result.statistics["records"],
        "path": result.json_path.name,
        "statistics": result.statistics,
        "warnings": list(result.warnings),
        "notes": list(result.notes),
        "missing": list(result.missing),
        "unchanged": result.unchanged,
        "parts": result.parts,
        "exports_holding": result.exports_holding,
        "artifacts": artifacts_of("corpus", result.manifest),
    }


def _writers(job: Mapping[str, Any], settings: ServiceSettings) -> Writers:
    """Tell who may write what this job plans."""
    name = f"{job['id']}.{job['fence']}"
    return Writers(name, job.get("writers", 0), settings.write_part_mb << 20)


def _left_to_others(planned: Spread) -> dict[str, Any]:
    return {"spread": planned.as_dict(), "parts": planned.parts()}


def _written_parts(job: Mapping[str, Any], settings: ServiceSettings) -> WrittenParts | None:
    """Give what others wrote of a job's plan; None if there is none, or it is gone."""
    told = job.get("written")
    if told is None:
        return None
    parts = WrittenParts(told["work"], told["state"], told["attempts"], told["strays"])
    return parts if parts.are_there(Store.of(settings).staging) else None


def _outcome(result: Mapping[str, Any]) -> SourceFiles | MindcorpusError | None:
    if "error" in result:
        return revived(result["error"])
    return None if result.get("absent") else SourceFiles.from_dict(result["found"])


def _prepare(
    job: Mapping[str, Any], settings: ServiceSettings, report: Reporter, cancel: Cancellation
) -> dict[str, Any]:
    publisher = Publisher(job["id"], job["fence"])
    request = request_of(PrepareRequest, job).from_record()
    if parts := _written_parts(job, settings):
        results = seal_formats(request, parts, settings, report, cancel, publisher)
    else:
        writers = _writers(job, settings)
        made = prepare_or_spread(request, settings, report, cancel, publisher, writers)
        if isinstance(made, Spread):
            return _left_to_others(made)
        results = made
    # A format of an earlier release, which is up to date, knows of no split and no sections.
    split_ids = {result.manifest.get("split_id", "") for result in results.values()}
    return {
        "split": split_told(Store.of(settings, publisher), split_ids),
        "formats": {
            name: {
                "path": result.path.name,
                "rows": result.rows,
                "corpus_sha256": result.corpus_sha256,
                "skipped": result.skipped,
                "changed": result.changed,
                "repeats": result.repeats,
                "sections": result.manifest.get("sections", []),
                "tokens": result.manifest.get("tokens"),
                "warnings": list(result.warnings),
                "split": result.split,
                "findings": result.manifest["finding_counts"],
            }
            for name, result in results.items()
        },
        "artifacts": [
            file for name, result in results.items() for file in artifacts_of(name, result.manifest)
        ],
    }


def artifacts_of(kind: str, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the files of an artifact as its manifest does: kind, path, bytes, rows, sha256."""
    return [
        {"kind": kind, **{name: output[name] for name in ("path", "bytes", "rows", "sha256")}}
        for output in manifest["outputs"]
    ]
