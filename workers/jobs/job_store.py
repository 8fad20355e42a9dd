"""The jobs in Redis as clients meet them: submit, look, cancel. What workers do: `leases.py`.

Redis is the truth about a job; the message in Celery's queue is a hint that carries its id.
"""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from redis.exceptions import ResponseError

from mindcorpus.errors import SettingsError
from workers.errors import (
    JobFinishedError,
    JobForgottenError,
    JobNewerError,
    JobNotFoundError,
    JobSharedError,
    KeyReusedError,
    NotReplicatedError,
    QueueFullError,
)
from workers.jobs.job import PART_KINDS, Job, JobPage, Kind, State, is_newer, read_job
from workers.jobs.job_specs import JobSpec, PartSpec, content_key
from workers.jobs.messages import Message, messages_of, new_id, parts_of
from workers.jobs.queue_stats import QueueStats, read_durability, read_queue_stats
from workers.jobs.scripts import PREFIX, Scripts, job_key
from workers.jobs.stalls import stalled_seconds
from workers.jobs.task_names import task_name
from workers.redis_client import Client, has_replicas, unavailable_errors, with_replica
from workers.settings import ServiceSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submitted:
    """What became of a request: a new job, the one that this key stands for, or one in flight."""

    job: Job
    outcome: Literal["created", "repeated", "joined"]
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Event:
    """One entry of a job's stream."""

    id: str
    data: dict[str, Any]


class JobStore:
    """Jobs of one service."""

    def __init__(self, redis: Client, settings: ServiceSettings) -> None:
        self._redis = redis
        self._settings = settings
        self._scripts = Scripts(redis)

    # For clients

    def submit(
        self,
        order: JobSpec,
        *,
        key: str | None = None,
        body: str = "",
        holder: str = "",
        request_id: str = "",
    ) -> Submitted:
        """Write the record of a new job, or find the one that this request already has.

        `holder` asks for it; `request_id` is for logs. Whom it calls back is no part of the record,
        which all who may read see.

        Raises `KeyReusedError`, `JobForgottenError` where the key's job was forgotten,
        `QueueFullError`, `SettingsError` where no more can be called at the end of the job that is
        joined, `RedisUnavailableError`, and behind Sentinel `NotReplicatedError`: then
        the job may be there, and may run.
        """
        job_id = new_id()
        record = {
            "kind": order.kind,
            "request": json.dumps(order.request),
            "queue": order.queue,
            "retry_of": order.retry_of or "",
            "allow_missing": "1" if order.request.get("allow_missing") else "",
            "request_id": request_id,
            "corpus": order.corpus,
            "asked_by": holder,
            "label": order.label,
            "sources": json.dumps([part.source for part in order.parts]),
        }
        (outcome, known_id, messages), kept = self._scripts.run_kept(
            "submit",
            job_id,
            json.dumps(record),
            order.content_key,
            key or "",
            body,
            self._settings.queue_limit,
            parts_of(order.parts),
            holder,
            order.label,
            order.callback_url,
        )
        if outcome == "reused":
            raise _reused()
        if outcome == "forgotten":
            raise self._gone(known_id, surely=True)
        if outcome == "crowded":
            raise SettingsError(
                "as many addresses as may be are called at the end of this job already",
                field="callback_url",
                hint="Leave it out, and follow the job.",
            )
        if outcome == "full":
            raise QueueFullError(
                f"{self._settings.queue_limit} jobs wait already",
                hint="Try again when some have run, or start more workers.",
            )
        if not kept:
            raise _not_replicated()
        return Submitted(self.get(known_id), outcome, messages_of(messages))

    def repeated(self, key: str, body: str) -> Job | None:
        """Give the job that an idempotency key stands for already, or None.

        Raises `KeyReusedError` where its request was another one, `JobForgottenError`, and
        `NotReplicatedError`.
        """
        known, kept = self._remembered(key)
        job_id, known_body = known
        if job_id is None:
            return None
        if known_body != body:
            raise _reused()
        if not kept:
            raise _not_replicated()
        try:
            return self.get(str(job_id))
        except JobNotFoundError:
            raise self._gone(str(job_id), surely=True) from None

    def _remembered(self, key: str) -> tuple[Any, bool]:
        """Give job and body of a key, and whether a failover would keep them."""
        name = f"{PREFIX}:idempotency:{key}"
        with unavailable_errors():
            if has_replicas(self._redis):
                return with_replica(self._redis, "HMGET", name, "job", "body")
            return self._redis.hmget(name, "job", "body"), True

    def get(self, job_id: str) -> Job:
        """Give a job; raises `JobNotFoundError`, and `JobForgottenError` for one that was there."""
        return self._read([job_id])[0]

    def list(
        self,
        *,
        kind: Kind | None = None,
        state: State | None = None,
        label: str | None = None,
        owner: str | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> JobPage:
        """Give jobs, newest first, `limit` at most; raises `SettingsError` for a bad cursor.

        `label` is one that the job was asked for or joined with, `owner` who asked or joined.
        """
        index = f"{PREFIX}:" + (
            (f"label:{label}" if label else "")
            or (f"owner:{owner}" if owner else "")
            or (f"jobs:{state}" if state else "jobs")
        )
        found: list[Job] = []
        below = self._below(cursor)
        while True:
            with unavailable_errors():
                found_ids: Any = self._redis.zrange(
                    index,
                    below,
                    "-inf",
                    desc=True,
                    byscore=True,
                    offset=0,
                    num=limit + 1,
                    withscores=True,
                )
            ids = [(str(job_id), float(place)) for job_id, place in found_ids]
            jobs = self._read([job_id for job_id, _ in ids], missing_ok=True)
            wanted = [
                job
                for job in jobs
                if kind in (None, job.kind)
                and state in (None, job.state)
                and (owner is None or owner in job.owners)
            ]
            found += wanted[: limit + 1 - len(found)]
            if len(found) > limit:
                return JobPage(jobs=tuple(found[:limit]), next_cursor=found[limit - 1].id)
            if len(ids) <= limit:
                return JobPage(jobs=tuple(found), next_cursor=None)
            below = f"({ids[-1][1]:.0f}"

    def in_flight(self, kind: Kind) -> Job | None:
        """Give the newest job of a kind that is not over."""
        with unavailable_errors():
            ids: Any = self._redis.zrange(f"{PREFIX}:live:{kind}", 0, 0, desc=True)
        return next(iter(self._read(ids, missing_ok=True)), None)

    def cancel(self, job_id: str, holder: str = "") -> Job:
        """Ask a job to stop: at once if it waits, within seconds if it runs.

        Raises `JobNotFoundError`, `JobNewerError`, `JobFinishedError` if it is over or publishes
        already, and `JobSharedError` if `holder` asked for it, and others who did still want it.
        """
        answer = self._scripts.run("cancel", job_id, holder)
        if answer == "missing":
            raise self._gone(job_id)
        if answer == "newer":
            raise _newer()
        if answer == "shared":
            raise JobSharedError(
                "others asked for the same job: it goes on for them",
                hint="It ends when the last of them cancels it.",
            )
        job = self.get(job_id)
        if answer == "late":
            state = f"is {job.state}" if job.over else "is being published"
            raise JobFinishedError(
                f"the job {state}: it cannot be cancelled", hint="There is nothing left to stop."
            )
        return job

    def spec_again(self, job_id: str) -> JobSpec:
        """Give the order of a job that failed or was cancelled once more.

        Raises `JobNotFoundError` and `JobFinishedError`.
        """
        job = self.get(job_id)
        if job.state not in ("failed", "cancelled"):
            raise JobFinishedError(
                f"the job is {job.state}: there is nothing to try again",
                hint="Only a job that failed or was cancelled can be run again.",
            )
        with unavailable_errors():
            fields: Any = self._redis.hgetall(job_key(job_id))
            fields |= self._redis.hgetall(_rest_key(job_id))
        request = json.loads(fields.get("request", "{}"))
        names = json.loads(fields.get("sources", "[]"))
        if not request:
            raise JobFinishedError(
                "the job's request was long, and is not kept any more",
                hint="Ask for the same anew.",
            )
        return JobSpec(
            kind=job.kind,
            request=request,
            content_key=content_key(job.kind, request, self._settings, job.corpus),
            queue=fields["queue"],
            parts=tuple(PartSpec(name, {"source": name}) for name in names),
            retry_of=job_id,
            label=job.label or "",
            corpus=job.corpus,
        )

    def events(self, job_id: str, after: str = "0-0", count: int = 1000) -> tuple[Event, ...]:
        """Give what a job's stream holds after an id."""
        with unavailable_errors():
            entries: Any = self._redis.xrange(stream_key(job_id), f"({after}", "+", count)
        return tuple(Event(entry, json.loads(fields["data"])) for entry, fields in entries)

    def task_name(self, job_id: str) -> str:
        """Give what a job's message is called; raises `RedisUnavailableError`."""
        return task_name(self._redis, job_id)

    def queue_stats(self) -> QueueStats:
        """Count the jobs, their queues and the workers."""
        with unavailable_errors():
            return read_queue_stats(self._redis)

    def durability(self) -> Sequence[str]:
        """Tell what in Redis' settings or state could lose jobs; nothing if it is durable."""
        with unavailable_errors():
            return read_durability(self._redis)

    def stalled(self) -> float | None:
        """Give the seconds that a job has been due while nobody works on any; None if not so."""
        with unavailable_errors():
            return stalled_seconds(self._redis)

    def _below(self, cursor: str | None) -> str:
        """Give where a page begins: below the job that was the last of the page before."""
        if cursor is None:
            return "+inf"
        with unavailable_errors():
            order = self._redis.zscore(f"{PREFIX}:jobs", cursor)
        if order is None:
            raise SettingsError(
                "this cursor leads nowhere",
                field="cursor",
                hint="Begin without one, and go on with `next_cursor` of each answer.",
            )
        return f"({float(order):.0f}"

    def _read(self, ids: Sequence[str], *, missing_ok: bool = False) -> Sequence[Job]:
        with unavailable_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for job_id in ids:
                pipe.hgetall(job_key(job_id))
                pipe.hgetall(f"{PREFIX}:sources:{job_id}")
                pipe.hgetall(_rest_key(job_id))
                pipe.smembers(f"{PREFIX}:pending:{job_id}")
            answers = pipe.execute(raise_on_error=False)
            (seconds, micros), *found = map(_answer, answers)
        now = seconds * 1000 + micros / 1000
        # What was long of a job that is over lies apart, and goes first.
        records = [
            (fields | rest if fields else {}, sources)
            for fields, sources, rest in zip(found[::4], found[1::4], found[2::4], strict=True)
        ]
        positions = self._positions([fields for fields, _ in records], found[3::4])
        jobs = []
        for job_id, (fields, sources), position in zip(ids, records, positions, strict=True):
            if not fields or fields.get("kind") in PART_KINDS:
                if missing_ok:
                    continue
                raise self._gone(job_id)
            try:
                jobs.append(read_job(fields, sources, position, now))
            except (LookupError, ValueError):
                log.warning("job %s: its record cannot be read", job_id)
                if is_newer(fields) and not missing_ok:
                    raise _newer() from None
                if not missing_ok:
                    raise _not_found() from None
        return jobs

    def _gone(self, job_id: str, *, surely: bool = False) -> JobNotFoundError:
        """Make the error of a job that is not there; `surely` if it once was."""
        with unavailable_errors():
            line = self._redis.hget(f"{PREFIX}:forgotten", job_id)
        if line is None and not surely:
            return _not_found()
        known: dict[str, Any] = json.loads(str(line)) if line else {}
        made = [f"{file['path']} (sha256 {file['sha256']})" for file in known.get("artifacts", ())]
        return JobForgottenError(
            f"the job {known.get('state', 'is over')}, and was forgotten",
            outcome={"id": job_id, **known},
            hint=f"It made {', '.join(made)}: compare with the artifacts that are there now."
            if made
            else "Look at the artifacts that are there now; ask anew with a new key.",
        )

    def _positions(
        self, records: Sequence[Mapping[str, str]], pending: Sequence[Iterable[str]]
    ) -> Iterator[int | None]:
        """Give each queued job's place in its queue, from 1; a merge has its first part's."""
        # What each record is found under, in which queue: its own, and of its parts.
        places = [
            [(fields["queue"], fields["id"]), *(("part", part) for part in parts)]
            if fields.get("state") == "queued" and {"id", "queue"} <= fields.keys()
            else []
            for fields, parts in zip(records, pending, strict=True)
        ]
        if not any(places):
            yield from (None for _ in records)
            return
        with unavailable_errors(), self._redis.pipeline(transaction=False) as pipe:
            for queue, job_id in itertools.chain(*places):
                pipe.zrank(f"{PREFIX}:queue:{queue}", job_id)
            ranks = iter(pipe.execute())
        for each in places:
            known = [rank + 1 for rank in itertools.islice(ranks, len(each)) if rank is not None]
            yield min(known, default=None)


def _reused() -> KeyReusedError:
    return KeyReusedError(
        "this Idempotency-Key was used before, with another request",
        hint="Send a new key with a new request.",
    )


def _not_replicated() -> NotReplicatedError:
    return NotReplicatedError(
        "the job is written down, but no replica of Redis has it yet",
        hint="It may run. Send the same request with the same Idempotency-Key again: that finds"
        " this job, or makes it if it was lost, and never a second one.",
    )


def _newer() -> JobNewerError:
    return JobNewerError(
        "a newer release of the service wrote this job: this one leaves it alone",
        hint="Ask a web server of that release; its workers do the job.",
    )


def _answer(answer: Any) -> Any:
    """Give an answer of Redis; nothing for what is no hash: one bad key keeps no other unread."""
    if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
        return {}
    if isinstance(answer, Exception):
        raise answer
    return answer


def stream_key(job_id: str) -> str:
    """Give the key of a job's stream of events; each entry has one field, `data`, in JSON."""
    return f"{PREFIX}:events:{job_id}"


def _rest_key(job_id: str) -> str:
    return f"{PREFIX}:rest:{job_id}"


def _not_found() -> JobNotFoundError:
    return JobNotFoundError(
        "there is no such job",
        hint="Look at the list of jobs; they are forgotten some days after their end.",
    )
