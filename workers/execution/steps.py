"""The steps a runner can take: a source's files or parts, the end of a merge, a prepare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from mindcorpus.errors import MindcorpusError
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.distributed import find_files, make_parts, merge_parts
from mindcorpus.merging.reading import Reuse
from mindcorpus.merging.shards import SourceFiles
from mindcorpus.preparing.prepare import prepare
from mindcorpus.progress import MERGE, Cancellation, Reporter, WholeJob
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.storage.exports import split_told
from mindcorpus.storage.publishers import Publisher
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
    outcomes = {name: _outcome(result) for name, result in job["outcomes"].items()}
    publisher = Publisher(job["id"], job["fence"])
    request = request_of(MergeRequest, job)
    earlier = sum((Reuse(**each) for each in job.get("parts", ())), Reuse())
    result = merge_parts(request, outcomes, settings, report, cancel, publisher, earlier)
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


def _outcome(result: Mapping[str, Any]) -> SourceFiles | MindcorpusError | None:
    if "error" in result:
        return revived(result["error"])
    return None if result.get("absent") else SourceFiles.from_dict(result["found"])


def _prepare(
    job: Mapping[str, Any], settings: ServiceSettings, report: Reporter, cancel: Cancellation
) -> dict[str, Any]:
    publisher = Publisher(job["id"], job["fence"])
    request = request_of(PrepareRequest, job).from_record()
    results = prepare(request, settings, report, cancel, publisher)
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
