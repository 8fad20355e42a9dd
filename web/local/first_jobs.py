"""What a new service does first: a merge and a prepare, through its own API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from mindcorpus.cli.render import (
    corpus_parts,
    ending_parts,
    existing,
    format_parts,
    size_of,
    split_parts,
    statistics_parts,
    status_parts,
    use_of,
)
from mindcorpus.cli.terminal import Terminal
from mindcorpus.client.problems import error_from
from mindcorpus.client.service import ServiceClient, Submission
from mindcorpus.errors import CancelledError, CorruptArtifactError, ExistsError
from mindcorpus.formats.chat_rules import rule_of
from mindcorpus.formats.instructions import use_of_format
from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import MergeRequest
from mindcorpus.storage.kinds import CORPUS
from mindcorpus.storage.store import Store

Sources = Literal["sample", "all"]

_FILES = tuple(f"{CORPUS}{suffix}" for suffix in (".json", ".csv", ".parquet", ".lineage.parquet"))


def make_first(client: ServiceClient, terminal: Terminal, data_dir: Path, sources: Sources) -> None:
    """Merge the sample or all sources, prepare the formats of `all`, and show what came of it.

    A corpus of real sources is replaced after a yes only; without one it is kept, and shown.
    Raises the errors of the jobs.
    """
    store = Store(data_dir)
    if _may_merge(terminal, store):
        sample = sources == "sample"
        request = MergeRequest(sample=sample, allow_missing=not sample, force=True)
        what = "the sample" if sample else "all sources"
        made = _followed(terminal, client, client.submit_merge(request), f"Merging {what}")
        files = [(data_dir / name, size_of(name, made["artifacts"])) for name in _FILES]
        terminal.show(*corpus_parts(made, files, "Its training formats come next.", terminal.full))
    else:
        terminal.show(*statistics_parts(client.statistics(), terminal.full))
    submission = client.submit_prepare()
    if submission.existing is not None:
        terminal.show("", *status_parts(store.status()))
        return
    made = _followed(terminal, client, submission, "Preparing the training formats")
    _show_formats(terminal, data_dir, made)


def _may_merge(terminal: Terminal, store: Store) -> bool:
    """Find out whether a corpus may be made: there is none, it is the sample, or somebody said yes.

    Says so where what is there is kept.
    """
    if not store.exists("corpus"):
        return True
    try:
        if store.manifest("corpus")["settings"]["sample"]:
            return True
        there = existing(store.status()["corpus"])
    except CorruptArtifactError:
        there = f"{store.path('corpus')} exists, with a damaged manifest"
    try:
        terminal.confirm([there])
    except ExistsError:
        terminal.say(f"{there}. It is kept.")
        return False
    return True


def _followed(
    terminal: Terminal, client: ServiceClient, submission: Submission, doing: str
) -> Mapping[str, Any]:
    """Show a job's progress; gives its result."""
    assert submission.job is not None  # what is forced is done
    job_id = submission.job["id"]
    terminal.say(f"{doing}: job {job_id}. Ctrl-C stops everything; the job then waits.")
    with terminal.watch() as (report, cancel):
        job = client.watch(job_id, report, cancel)
        # Before the display is closed, which shows what is still open as done.
        if job["state"] == "failed":
            raise error_from(job["error"])
        if job["state"] != "succeeded":
            raise CancelledError("the job was cancelled; it published nothing")
    result: Mapping[str, Any] = job["result"]
    return result


def _show_formats(terminal: Terminal, data_dir: Path, result: Mapping[str, Any]) -> None:
    formats, uses = result["formats"], []
    parts = split_parts(result["split"])
    for name, made in formats.items():
        path = str(data_dir / made["path"])
        parts += format_parts(name, {**made, "path": path}, None)
        found = map(rule_of, made["findings"])
        errors = [rule.meaning for rule in found if rule.severity == "error"]
        uses.append(use_of(name, errors, use_of_format(FORMATS[name], path, made)))
    terminal.show(*parts, *ending_parts(formats, uses))
