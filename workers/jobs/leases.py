"""The jobs in Redis as workers meet them: take one, hold it, end it. Each step is one script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from mindcorpus.errors import MindcorpusError
from mindcorpus.progress import Progress
from workers.errors import JobLostError, describe, lost_too_often
from workers.jobs.job import TERMINAL
from workers.jobs.job_specs import PartSpec
from workers.jobs.messages import Message, messages_of, new_id, parts_of
from workers.jobs.queue_stats import count_writers
from workers.jobs.results import in_short
from workers.jobs.scripts import PREFIX, Scripts, job_key, writes_key
from workers.jobs.task_names import task_name
from workers.redis_client import Client, unavailable_errors
from workers.settings import ServiceSettings

_SWEPT_AT_ONCE = 50


@dataclass(frozen=True)
class Claim:
    """A job that this process now holds; whatever it does next carries the fence."""

    job_id: str
    fence: str
    fields: Mapping[str, str]
    code: str = ""
    """The key of the code that is to do it."""

    @property
    def kind(self) -> str:
        """merge, prepare, part or write."""
        return self.fields["kind"]


@dataclass(frozen=True)
class NotClaimed:
    """Why a job is not ours: over, early or busy, and then who holds it."""

    reason: str
    host: str
    pid: int
    fence: str
    job_id: str = ""


@dataclass(frozen=True)
class Slots:
    """How many jobs a worker does at once, and of which queues."""

    count: int
    queues: tuple[str, ...]
    code: str = ""
    """The key of the code that its jobs are done by, as it is now."""


Held = Literal["held", "stale", "cancel", "deadline"]


class ClaimStore:
    """The worker's side of the jobs of one service."""

    def __init__(self, redis: Client, settings: ServiceSettings) -> None:
        self._redis = redis
        self._settings = settings
        self._scripts = Scripts(redis)
        self._lease = int(settings.lease_seconds * 1000)
        self._pause = int(settings.retry_seconds * 1000)
        self._lost_error = json.dumps(lost_too_often(settings.max_attempts))

    def holder(self, job_id: str) -> NotClaimed | None:
        """Tell who holds a job just now, if anybody does."""
        with unavailable_errors():
            held: Any = self._redis.hmget(job_key(job_id), "state", "host", "pid", "fence")
        state, host, pid, fence = held
        if state not in ("running", "cancelling") or host is None:
            return None
        return NotClaimed("busy", host, int(pid), fence, job_id)

    def claim(
        self,
        job_id: str,
        token: str,
        host: str,
        pid: int,
        queue: str = "",
        worker: str = "",
        code: str = "",
    ) -> Claim | NotClaimed:
        """Take a job, if it is there to be taken; the same token may ask again.

        With a queue it is the job that has waited longest in it, and the one that was named only
        if none waits. `worker` is whose slot it takes, as that is heard of; what other code than
        `code` planned it does not take.
        """
        verdict, first, second, third, messages, taken = self._scripts.run(
            "claim",
            job_id,
            token,
            host,
            pid,
            self._lease,
            self._settings.max_attempts,
            int(self._settings.deadline_seconds * 1000),
            self._lost_error,
            queue,
            self._pause,
            worker,
            code,
        )
        del messages  # the sweeper publishes what a claim found lost
        if verdict != "claimed":
            return NotClaimed(verdict, first, int(second or 0), third, taken)
        with unavailable_errors():
            fields: Any = self._redis.hgetall(job_key(taken))
        return Claim(taken, first, fields, code)

    def beat(self, claim: Claim, progress: Progress | None = None) -> Held:
        """Renew the lease, and tell how far the job is."""
        held: Held = self._scripts.run(
            "beat", claim.job_id, claim.fence, self._lease, _encoded(progress)
        )
        return held

    def commit(self, claim: Claim) -> Literal["committed", "stale", "cancel"]:
        """Ask whether the job may publish now; from then on it cannot be cancelled."""
        answer: Literal["committed", "stale", "cancel"] = self._scripts.run(
            "commit", claim.job_id, claim.fence, self._lease
        )
        return answer

    def succeed(
        self,
        claim: Claim,
        result: Mapping[str, Any],
        *,
        progress: Progress | None = None,
        parts: Sequence[PartSpec] = (),
        source_state: str = "",
        source_size: int | None = None,
    ) -> list[Message] | None:
        """End a job well; a part may bring further parts. None if the job is not ours any more.

        `progress` is its last: what is counted is told with the end, in the same step.
        """
        verdict, messages = self._scripts.run(
            "succeed",
            claim.job_id,
            claim.fence,
            whole := json.dumps(result),
            parts_of(parts),
            source_state,
            "" if source_size is None else source_size,
            _encoded(progress),
            in_short(whole),
        )
        return list(messages_of(messages)) if verdict == "done" else None

    def spread(
        self, claim: Claim, planned: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]
    ) -> list[Message] | None:
        """Have others write what a job planned; it waits for them. None if it is not ours any more.

        `planned` has the `work` that they share, `rows` and `total` bytes of it, the `item` that is
        shown, and the shares of the whole job `from` which and `to` which it brings it.
        """
        verdict, messages = self._scripts.run(
            "spread",
            claim.job_id,
            claim.fence,
            json.dumps({**planned, "code": claim.code}),
            json.dumps([{"id": new_id(), "payload": json.dumps(part)} for part in parts]),
        )
        return list(messages_of(messages)) if verdict == "done" else None

    def fail(
        self,
        claim: Claim,
        error: MindcorpusError,
        *,
        progress: Progress | None = None,
        tolerated: bool = False,
    ) -> list[Message]:
        """End a job badly; a merge may go on without a part's source if that is tolerated."""
        _, messages = self._scripts.run(
            "fail",
            claim.job_id,
            claim.fence,
            _json(error),
            "1" if tolerated else "",
            _encoded(progress),
        )
        return list(messages_of(messages))

    def stopped(self, claim: Claim) -> None:
        """End a job that was asked to stop, now that its process has."""
        self._scripts.run("stopped", claim.job_id, claim.fence)

    def postpone(self, claim: Claim, error: MindcorpusError, seconds: float) -> bool:
        """Queue a job for another try after a pause; False if its tries are used up."""
        answer = self._scripts.run(
            "postpone",
            claim.job_id,
            claim.fence,
            _json(error),
            int(seconds * 1000),
            self._settings.max_tries,
        )
        return bool(answer != "spent")

    def release(self, claim: Claim, seconds: float = 0, note: str = "") -> list[Message]:
        """Hand a job back, for another worker to take: at once, or after a pause."""
        _, messages = self._scripts.run(
            "release", claim.job_id, claim.fence, int(seconds * 1000), note
        )
        return list(messages_of(messages))

    def lost(self, job_id: str, fence: str) -> list[Message]:
        """Tell that the process which held a job has died: it is queued anew, or fails."""
        _, messages = self._scripts.run(
            "lost", job_id, fence, self._settings.max_attempts, self._lost_error, self._pause
        )
        return list(messages_of(messages))

    def sweep(self) -> tuple[list[Message], list[str]]:
        """Look after jobs that nobody looks after; give what to publish, and which were lost."""
        messages, lost, whole = self._scripts.run(
            "sweep",
            _SWEPT_AT_ONCE,
            self._settings.max_attempts,
            self._lost_error,
            int(self._settings.jobs_days * 86_400_000),
            self._pause,
            self._lease,
            int(self._settings.deadline_seconds * 1000),
        )
        for job_id in whole:
            self._shorten(job_id)
        return list(messages_of(messages)), list(lost)

    def _shorten(self, job_id: str) -> None:
        """Have no more of a job that an older release ended than of one that ended here."""
        with unavailable_errors():
            result: Any = self._redis.hget(job_key(job_id), "result")
        self._scripts.run("shorten", job_id, in_short(result or ""))

    def work_of(self, claim: Claim) -> dict[str, Any]:
        """Give all that a runner needs to know of a job: id, fence, kind, request, and so on."""
        fields = claim.fields
        work: dict[str, Any] = {
            "id": claim.job_id,
            "fence": int(claim.fence),
            "kind": claim.kind,
        }
        if claim.kind == "part":
            payload = json.loads(fields["payload"])
            with unavailable_errors():
                parent: Any = self._redis.hmget(job_key(fields["parent"]), "request", "request_id")
                request = parent[0]
                if "of" in payload:
                    found = self._redis.hget(job_key(payload["of"]), "result")
                    if found is None:
                        raise _forgotten()
                    payload["found"] = json.loads(str(found))["found"]
            if request is None:
                raise _forgotten()
            log = {"job": fields["parent"], "part": claim.job_id, "request_id": parent[1] or ""}
            return {**work, "log": log, "request": json.loads(request), "payload": payload}
        if claim.kind == "write":
            with unavailable_errors():
                asked: Any = self._redis.hget(job_key(fields["parent"]), "request_id")
            work["log"] = {"job": fields["parent"], "part": claim.job_id, "request_id": asked or ""}
            return {**work, "payload": json.loads(fields["payload"])}
        work["log"] = {"job": claim.job_id, "request_id": fields.get("request_id", "")}
        work["request"] = json.loads(fields["request"])
        if fields.get("step") == "seal":
            work["written"] = self._written(claim)
        else:
            with unavailable_errors():
                work["writers"] = count_writers(self._redis, claim.code)
        if claim.kind == "merge":
            work["outcomes"] = self.outcomes(claim.job_id)
            work["parts"] = self.made_parts(claim.job_id)
            if set(json.loads(fields["sources"])) - set(work["outcomes"]):
                raise _forgotten()
        return work

    def outcomes(self, job_id: str) -> dict[str, dict[str, Any]]:
        """Give what became of each source of a merge: its files and parts, or why there are none.

        By name: `{"found": …}`, `{"absent": true}` or `{"error": …}`.
        """
        found: dict[str, dict[str, Any]] = {
            name: result
            for name, payload, result in self._results(job_id)
            if "shards" not in payload
        }
        with unavailable_errors():
            failures: Any = self._redis.hgetall(f"{PREFIX}:sources:{job_id}")
        for key, value in failures.items():
            name, _, what = key.rpartition("|")
            if what == "error":
                found[name] = {"error": json.loads(value)}
        return found

    def made_parts(self, job_id: str) -> list[dict[str, int]]:
        """Tell of each part of a merge how many parts of sources it made, or found there.

        Those of an earlier release do not say it.
        """
        return [result["parts"] for *_, result in self._results(job_id) if "parts" in result]

    def _results(self, job_id: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """Give of each part of a merge that has ended well its name, its payload and its result."""
        with unavailable_errors():
            ids = sorted(str(part) for part in self._redis.smembers(f"{PREFIX}:parts:{job_id}"))
            with self._redis.pipeline(transaction=False) as pipe:
                for part in ids:
                    pipe.hmget(job_key(part), "name", "payload", "result")
                parts = pipe.execute()
        return [
            (name, json.loads(payload), json.loads(result))
            for name, payload, result in parts
            if result is not None
        ]

    def _written(self, claim: Claim) -> dict[str, Any] | None:
        """Give what a job planned, and what came of each part; None if some is forgotten."""
        fields = claim.fields
        with unavailable_errors():
            ids = sorted(str(part) for part in self._redis.smembers(writes_key(claim.job_id)))
            with self._redis.pipeline(transaction=False) as pipe:
                for part in ids:
                    pipe.hmget(job_key(part), "payload", "result")
                parts = pipe.execute()
        planned = json.loads(fields.get("planned", "{}"))
        done = [(json.loads(payload)["number"], result) for payload, result in parts if result]
        if not planned or len(done) != planned["parts"]:
            return None
        return {
            **planned,
            "attempts": [json.loads(result) for _, result in sorted(done)],
            "strays": fields.get("strays") == "1",
        }

    def works(self, names: Sequence[str]) -> frozenset[str]:
        """Tell of folders in which workers write together, as JOB.FENCE, which still are needed."""
        with unavailable_errors(), self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hmget(job_key(name.partition(".")[0]), "state", "fence", "work")
            known = pipe.execute()
        return frozenset(
            name
            for name, (state, fence, work) in zip(names, known, strict=True)
            if state is not None
            and state not in TERMINAL
            # Planned in it, or about to plan in it.
            and name in (work, f"{name.partition('.')[0]}.{fence}")
        )

    def holds(self, job_id: str, fence: str) -> bool:
        """Whether a job is still held under a fence."""
        with unavailable_errors():
            state, current = self._redis.hmget(job_key(job_id), "state", "fence")
        return state in ("running", "cancelling") and current == fence

    def seen(self, name: str, *, lives: bool = True, slots: Slots | None = None) -> None:
        """Note that a worker is alive, or has ended; `name` is HOST:PID."""
        told = json.dumps(asdict(slots)) if slots else ""
        self._scripts.run("seen", name, "1" if lives else "", told)

    def task_name(self, job_id: str) -> str:
        """Give what a job's message is called; raises `RedisUnavailableError`."""
        return task_name(self._redis, job_id)


def _forgotten() -> JobLostError:
    return JobLostError(
        "the record of its merge, or of a part of it, is gone",
        hint="Run it again; parts that were made are found again.",
    )


def _encoded(progress: Progress | None) -> str:
    return "" if progress is None else json.dumps(asdict(progress))


def _json(error: MindcorpusError) -> str:
    return json.dumps(describe(error))
