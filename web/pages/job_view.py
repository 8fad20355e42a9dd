"""A job in words: where it stands, what it was asked for, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mindcorpus.formats.registry import ALL, FORMATS
from mindcorpus.progress import MERGE, PREPARE
from mindcorpus.report.charts import amount
from mindcorpus.warning import together
from web.pages.filters import duration, plural, seconds_between, seconds_since
from workers.jobs.job import STATES, Job, SourceProgress

STATE_WORDS = {
    "queued": "Queued",
    "waiting": "Running",
    "running": "Running",
    "cancelling": "Stopping",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
#: What of a filter by state is offered; `waiting` is told apart by programs only.
STATE_CHOICES = {state: STATE_WORDS[state] for state in STATES if state != "waiting"} | {
    "waiting": "Running, in parts"
}
PHASE_WORDS = {
    "fetch": "Fetch",
    "read": "Read",
    "deduplicate": "De-duplicate",
    "write": "Write",
    "check": "Check",
    "publish": "Publish",
}
_DOING_WORDS = {
    "fetch": "fetching",
    "read": "reading",
    "deduplicate": "looking for duplicates",
    "write": "writing",
    "check": "checking",
    "publish": "publishing",
}
_SOURCE_WORDS = {
    "queued": "waits",
    "running": "in work",
    "done": "done",
    "failed": "failed",
    "absent": "not there",
    "cancelled": "stopped",
}
_ASKED = {
    "sample": "Sample instead of the sources",
    "sources": "Sources",
    "exclude": "Left out",
    "commercial_only": "Only what products may be built on",
    "allow_missing": "Go on without sources that fail",
    "allow_loss": "Losses that are meant",
    "force": "May replace what is there",
    "revisions": "Revisions",
    "options": "Options",
    "upgrade": "Newest revisions",
    "rehash": "Reads all files anew",
    "stages": "Row stages",
    "format": "Format",
    "formats": "Formats",
    "types": "Types",
    "tags": "Tags",
    "min_words": "Least words of an answer",
    "max_words": "Most words of an answer",
    "max_tokens": "Most tokens of a record",
    "over_length": "Records with more tokens",
    "tokenizer": "Tokenizer",
    "caps": "At most",
    "mix": "Times",
    "seed": "Seed",
    "system_prompt": "System prompt",
    "system_policy": "Own system turns",
    "instruction": "Instruction",
    "validation_share": "Validation share",
    "test_share": "Test share",
    "folds": "Folds",
}


@dataclass(frozen=True)
class Step:
    """One stage of a job: done, current or to come."""

    name: str
    words: str
    state: str


@dataclass(frozen=True)
class JobView:
    """A job, and the words that a page tells of it."""

    job: Job
    title: str
    state: str
    summary: str
    """One sentence; it changes with state, stage and source, not with every row."""
    steps: list[Step]
    share: float
    """Of the whole job, from 0 to 1."""
    rows: int
    """Read so far; of a merge, of all its sources."""
    bytes: int
    total: int | None
    """Bytes of this stage, or of all sources; None while they are not known."""
    took: str
    seconds: float
    """For how long it has run."""
    waited: str

    @property
    def can_cancel(self) -> bool:
        """Whether it may still be stopped."""
        return not self.job.over and not self.job.cancel_requested

    @property
    def can_retry(self) -> bool:
        """Whether it may be run again."""
        return self.job.state in ("failed", "cancelled")

    def rows_of(self, source: SourceProgress) -> int:
        """Give the rows read of a source; of a merge that ended, those its result tells."""
        sources = (self.job.result or {}).get("statistics", {}).get("sources", {})
        return int(sources.get(source.name, {}).get("read", source.rows))

    @property
    def warnings(self) -> list[str]:
        """What its result warns of, of all formats together, the most harmful first."""
        result = self.job.result or {}
        made = [result, *result.get("formats", {}).values()]
        return together(each.get("warnings") or () for each in made)

    @property
    def source_words(self) -> dict[str, str]:
        """The states of sources in words."""
        return _SOURCE_WORDS


def describe_job(job: Job) -> JobView:
    """Put a job into words."""
    rows, bytes_ = _amounts(job)
    seconds = _seconds(job)
    return JobView(
        job=job,
        title=_title(job),
        state=STATE_WORDS[job.state],
        summary=_summary(job),
        steps=_steps(job),
        share=job.progress.share,
        rows=rows,
        bytes=bytes_,
        total=_total(job),
        took=duration(seconds) if job.started else "",
        seconds=seconds,
        waited=duration(seconds_between(job.created, job.started)) if job.started else "",
    )


def _amounts(job: Job) -> tuple[int, int]:
    """Give rows and bytes; once a merge joins its parts, what it read stays."""
    progress, sources = job.progress, job.progress.sources
    if sources and (job.over or _joins(job)):
        read = (job.result or {}).get("statistics", {}).get("sources", {})
        rows = sum(each["read"] for each in read.values()) or sum(each.rows for each in sources)
        return rows, sum(each.done for each in sources)
    return progress.rows, progress.done


def _total(job: Job) -> int | None:
    progress = job.progress
    # As long as one source's size is not known, nobody knows how much there is.
    reads = job.stage in (None, "fetch", "read")
    if job.over or (reads and any(source.total is None for source in progress.sources)):
        return None
    return progress.total


def _joins(job: Job) -> bool:
    """Whether a merge has made its parts, and its own last step has told nothing yet."""
    sources = job.progress.sources
    ended = all(each.state not in ("queued", "running") for each in sources)
    return bool(sources) and ended and not job.over and job.stage in (None, "fetch", "read")


def _title(job: Job) -> str:
    if job.kind == "merge":
        return "Merge of the sample" if job.request.get("sample") else "Merge"
    chosen = job.request.get("formats") or [job.request.get("format", ALL)]
    return f"Prepare {', '.join(map(_format_title, chosen))}"


def _format_title(name: str) -> str:
    if name == ALL:
        return "all formats"
    # A job may be older than a format's name.
    return FORMATS[name].title if name in FORMATS else name


def _summary(job: Job) -> str:
    if job.state != "cancelling" and _joins(job):
        waits = job.state == "queued"
        return "Joining the parts, as soon as a worker is free." if waits else "Joining the parts."
    if job.state in ("running", "waiting"):
        return _doing(job)
    return {
        "queued": _queued(job),
        "cancelling": "Was asked to stop; that takes seconds.",
        "succeeded": f"Done: {_outcome(job)}.",
        "failed": f"Failed: {job.error.title if job.error else 'for an unknown reason'}.",
        "cancelled": "Cancelled. What was published before is untouched.",
    }[job.state]


def _doing(job: Job) -> str:
    doing = _DOING_WORDS.get(job.stage or "", "getting ready")
    sources = job.progress.sources
    if job.stage in ("fetch", "read") and sources:
        ended = sum(source.state not in ("queued", "running") for source in sources)
        at = min(ended + 1, len(sources))
        return f"{doing.capitalize()}: source {at} of {len(sources)}."
    item = job.progress.source
    return f"{doing.capitalize()}{': ' + item if item else ''}."


def _queued(job: Job) -> str:
    if job.not_before is not None:
        return "Will be tried again soon."
    if job.queue_position is None:
        return "Waits for a worker."
    if job.queue_position == 1:
        return "Waits for a worker; it is next."
    before = job.queue_position - 1
    return f"Waits for a worker; {plural(before, 'job stands', 'jobs stand')} before it."


def _outcome(job: Job) -> str:
    result = job.result or {}
    if job.kind == "merge":
        return plural(int(result.get("records", 0)), "record")
    made = result.get("formats", {}).items()
    return ", ".join(f"{name} with {plural(found['rows'], 'row')}" for name, found in made)


def _steps(job: Job) -> list[Step]:
    phases = [*(MERGE if job.kind == "merge" else PREPARE)]
    at = phases.index(job.stage) if job.stage in phases else -1
    if _joins(job):
        at = phases.index("deduplicate")
    if job.state == "succeeded":
        at = len(phases)
    return [
        Step(
            phase,
            PHASE_WORDS[phase],
            "done" if place < at else "current" if place == at else "later",
        )
        for place, phase in enumerate(phases)
    ]


def _seconds(job: Job) -> float:
    if job.started is None:
        return 0.0
    if job.finished is not None:
        return seconds_between(job.started, job.finished)
    return seconds_since(job.started)


def asked_for(job: Job) -> list[tuple[str, str]]:
    """Give what a job's request says beside the defaults."""
    asked = []
    for name, words in _ASKED.items():
        value = job.request.get(name)
        # A seed of 0 is said, and no stages at all; null stands for what is the default.
        if value is None or value is False or (value in ("", [], {}) and name != "stages"):
            continue
        if value is True:
            shown = "yes"
        elif isinstance(value, dict):
            shown = ", ".join(f"{key}: {_text(one)}" for key, one in value.items())
        elif isinstance(value, list | tuple):
            shown = ", ".join("all" if one == "*" else str(one) for one in value) or "none"
        else:
            shown = _text(value)
        asked.append((words, shown))
    return asked


def _text(value: Any) -> str:
    return amount(value) if isinstance(value, int) and value >= 10_000 else str(value)
