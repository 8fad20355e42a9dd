"""Any steps in any order: the scripts do what a plain model of a job's life does."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as runs
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from stores import Stores, make_stores

from mindcorpus.errors import DataError, HubUnavailableError
from mindcorpus.progress import Progress
from workers.errors import JobFinishedError
from workers.jobs.job import STATES, TERMINAL
from workers.jobs.job_specs import PartSpec
from workers.jobs.leases import Claim
from workers.jobs.scripts import PREFIX

if TYPE_CHECKING:
    from redis_server import RedisServer

HELD = ("running", "cancelling")
ATTEMPTS, TRIES = 3, 3


def progress_of(rows: int) -> Progress:
    """Give what a job tells that has read so many rows, of ten bytes each."""
    return Progress("read", "file", rows, rows * 10, 1000)


@dataclass(eq=False)
class Model:
    """A job or a part as it should be."""

    id: str
    kind: str
    step: str
    state: str = "queued"
    parent: Model | None = None
    source: str = ""
    attempt: int = 0
    tries: int = 0
    fence: str = ""
    cancel: bool = False
    committed: bool = False
    rows: int = 0
    resting: bool = False
    """A pause keeps it from being taken."""
    parts: list[Model] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)

    @property
    def unwanted(self) -> bool:
        return self.cancel or (self.parent is not None and self.parent.state in TERMINAL)

    # What one step does to others

    def end(self, state: str) -> None:
        self.state, self.resting = state, False

    def requeue(self, *, resting: bool = False) -> None:
        self.state, self.resting, self.rows = "queued", resting, 0

    def cancelled(self) -> None:
        self.rows = 0
        self.end("cancelled")
        if self.parent:
            self.parent.pending.discard(self.id)

    def cancel_parts(self, source: str | None = None) -> None:
        for part in self.parts:
            if part.id in self.pending and source in (None, part.source):
                self.pending.discard(part.id)
                if part.state in HELD:
                    part.cancel = True
                else:
                    part.end("cancelled")

    def gather(self) -> None:
        if not self.pending and self.step == "parts" and self.state not in TERMINAL:
            self.step = "finalise"
            self.requeue()

    def fail(self, *, tolerated: bool = False) -> None:
        self.end("failed")
        if self.parent is None:
            self.cancel_parts()
            return
        self.parent.pending.discard(self.id)
        if tolerated:
            self.parent.cancel_parts(self.source)
            self.parent.gather()
        elif self.parent.state not in TERMINAL:
            self.parent.end("failed")
            self.parent.cancel_parts()

    def lose(self) -> None:
        if self.unwanted:
            self.cancelled()
        elif self.attempt >= ATTEMPTS:
            self.fail()
        else:
            # The first time it goes on at once.
            self.requeue(resting=self.attempt > 1)


class Jobs(RuleBasedStateMachine):
    """Clients, workers and a sweeper at work on the same jobs."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.stores: Stores = make_stores(self.url, max_attempts=ATTEMPTS, max_tries=TRIES)
        self.stores.redis.flushall()
        self.models: dict[str, Model] = {}
        self.ended: dict[str, str] = {}
        self.claims: list[Claim] = []

    def teardown(self) -> None:
        self.stores.redis.close()

    def jobs(self) -> list[Model]:
        return [model for model in self.models.values() if model.parent is None]

    def living(self) -> list[Model]:
        return [job for job in self.jobs() if job.state not in TERMINAL]

    def add_part(self, parent: Model, part_id: str) -> None:
        name = self.stores.name(part_id)
        part = Model(part_id, "part", "", parent=parent, source=name)
        parent.parts.append(part)
        parent.pending.add(part_id)
        self.models[part_id] = part

    def any_claim(self, data: st.DataObject) -> Claim:
        """Draw a claim, more often one that counts than one that comes too late."""
        living = [claim for claim in self.claims if self.held(claim)]
        late = data.draw(st.integers(0, 4)) == 4
        return data.draw(st.sampled_from(self.claims if late else living or self.claims))

    def held(self, claim: Claim) -> Model | None:
        """Give the model of a claim that still counts."""
        model = self.models[claim.job_id]
        return model if model.state in HELD and model.fence == claim.fence else None

    @contextmanager
    def alone(self, claim: Claim) -> Iterator[Model | None]:
        """Take a step under a claim; one that comes too late must change nothing."""
        model = self.held(claim)
        before = None if model else self.stores.redis.hgetall(f"{PREFIX}:job:{claim.job_id}")
        yield model
        if before is not None:
            assert self.stores.redis.hgetall(f"{PREFIX}:job:{claim.job_id}") == before

    # Clients

    @initialize()
    def begin(self) -> None:
        """Have something to go on with: which rules a run has at all is left to chance."""
        self.submit(["a", "b"])
        self.submit([])
        merge, _ = self.jobs()
        self.take(merge.parts[0])

    @precondition(lambda self: len(self.living()) < 3)
    @rule(sources=st.lists(st.sampled_from("abc"), max_size=3, unique=True))
    def submit_more(self, sources: list[str]) -> None:
        self.submit(sources)

    def submit(self, sources: list[str]) -> None:
        job = self.stores.submit(*sources)
        model = Model(job.id, job.kind, "parts" if sources else "run")
        self.models[job.id] = model
        for part in self.stores.parts(job.id):
            self.add_part(model, part)

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        jobs = self.jobs()
        model = data.draw(st.sampled_from(self.living() or jobs) | st.sampled_from(jobs))
        if model.state == "cancelled":
            assert self.stores.jobs.cancel(model.id).state == "cancelled"
            return
        if model.state in TERMINAL or (model.state in HELD and model.committed):
            with pytest.raises(JobFinishedError):
                self.stores.jobs.cancel(model.id)
            return
        self.stores.jobs.cancel(model.id)
        if model.state in HELD:
            model.state, model.cancel = "cancelling", True
        else:
            model.cancel = True
            model.end("cancelled")
            model.cancel_parts()

    # Workers

    @precondition(lambda self: self.models)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        models = list(self.models.values())
        free = [each for each in models if each.state == "queued" and each.step != "parts"]
        model = data.draw(st.sampled_from(free or models) | st.sampled_from(models))
        self.take(model)

    def take(self, model: Model) -> None:
        """Claim a job or part, if it can be claimed."""
        answer = self.stores.try_to_take(model.id, secrets.token_hex(4))
        free = model.state == "queued" and model.step != "parts"
        if free and model.unwanted:
            model.cancelled()
        elif free and not model.resting:
            assert isinstance(answer, Claim)
            model.state, model.fence, model.rows = "running", answer.fence, 0
            model.attempt += 1
            if model.parent and model.parent.state == "queued":
                model.parent.state = "waiting"
            self.claims.append(answer)
        else:
            assert not isinstance(answer, Claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), rows=st.integers(0, 100))
    def read(self, data: st.DataObject, rows: int) -> None:
        claim = self.any_claim(data)
        with self.alone(claim) as model:
            verdict = self.stores.read(claim, rows, rows * 10)
            if model is None:
                assert verdict == "stale"
            elif model.unwanted:
                assert verdict == "cancel"
            else:
                assert verdict == "held"
                model.rows = rows

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        claim = self.any_claim(data)
        if claim.kind == "part":
            return
        with self.alone(claim) as model:
            answer = self.stores.claims.commit(claim)
            if model is None:
                assert answer == "stale"
            elif model.unwanted:
                assert answer == "cancel"
            else:
                assert answer == "committed"
                model.committed = True

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """End a job's attempt in one of all ways."""
        claim = self.any_claim(data)
        pauses = st.sampled_from([0, 600])
        match data.draw(st.integers(0, 5)):
            case 0:
                self.succeed(claim, data.draw(st.integers(0, 2)), data.draw(st.integers(0, 100)))
            case 1:
                tolerated = data.draw(st.booleans())
                self.fail(claim, data.draw(st.integers(0, 100)), tolerated=tolerated)
            case 2:
                self.postpone(claim, data.draw(pauses))
            case 3:
                self.release(claim, data.draw(pauses))
            case 4:
                self.stopped(claim)
            case _:
                self.lost(claim)

    def succeed(self, claim: Claim, more: int, rows: int) -> None:
        model = self.held(claim)
        before = {part.id for part in model.parent.parts} if model and model.parent else set()
        orders = [
            PartSpec(claim.fields["name"], {"shards": [at], "of": claim.job_id})
            for at in range(more if before else 0)
        ]
        with self.alone(claim):
            messages = self.stores.claims.succeed(
                claim, {}, parts=orders, progress=progress_of(rows)
            )
        if model is None:
            again = self.models[claim.job_id]
            repeated = again.state == "succeeded" and again.fence == claim.fence
            assert messages == ([] if repeated else None)
            return
        if model.parent is None:
            model.committed = False
            model.end("succeeded")
        elif model.unwanted:
            model.cancelled()
        else:
            # What it read is told with its end, whatever was told before.
            model.rows = rows
            model.end("succeeded")
            for part in sorted(set(self.stores.parts(model.parent.id)) - before):
                self.add_part(model.parent, part)
            model.parent.pending.discard(model.id)
            model.parent.gather()

    def fail(self, claim: Claim, rows: int, *, tolerated: bool) -> None:
        tolerated = tolerated and claim.kind == "part"
        with self.alone(claim) as model:
            self.stores.claims.fail(
                claim, DataError("no"), tolerated=tolerated, progress=progress_of(rows)
            )
        if model and model.unwanted:
            model.cancelled()
        elif model:
            model.committed = False
            model.rows = rows
            model.fail(tolerated=tolerated)

    def stopped(self, claim: Claim) -> None:
        with self.alone(claim) as model:
            if model and not model.unwanted:
                return
            self.stores.claims.stopped(claim)
        if model:
            model.cancelled()

    def postpone(self, claim: Claim, pause: int) -> None:
        with self.alone(claim) as model:
            postponed = self.stores.claims.postpone(claim, HubUnavailableError("no"), pause)
        if model and model.unwanted:
            model.cancelled()
        elif model:
            assert postponed == (model.tries + 1 < TRIES)
            if postponed:
                model.tries += 1
                model.attempt -= 1
                model.committed = False
                model.requeue(resting=pause > 0)

    def release(self, claim: Claim, pause: int) -> None:
        with self.alone(claim) as model:
            self.stores.claims.release(claim, pause)
        if model and model.unwanted:
            model.cancelled()
        elif model:
            model.attempt -= 1
            model.committed = False
            model.requeue(resting=pause > 0)

    def lost(self, claim: Claim) -> None:
        with self.alone(claim) as model:
            self.stores.claims.lost(claim.job_id, claim.fence)
        if model:
            model.lose()

    # Time

    @rule()
    def sweep_early(self) -> None:
        messages, lost = self.stores.claims.sweep()
        assert lost == []
        due = {each.id for each in self.models.values() if each.state == "queued"}
        assert {job_id for job_id, _ in messages} <= due

    @rule()
    def sweep_late(self) -> None:
        """An hour passes: every lease has run out, every pause is over."""
        self.stores.let_pass(3600)
        looked_at = [
            self.models[job_id]
            for job_id in sorted(self.active(), key=self.active().get)  # type: ignore[arg-type]
        ]
        messages, lost = self.stores.claims.sweep()
        assert set(lost) == {model.id for model in looked_at if model.state in HELD}
        for model in looked_at:
            model.resting = False
            if model.state in HELD:
                model.lose()
            elif model.state == "queued" and model.unwanted:
                model.cancelled()
        queued = {
            model.id
            for model in self.models.values()
            if model.state == "queued" and not model.resting
        }
        waiting = {model.id for model in self.jobs() if model.step == "parts"}
        told = {job_id for job_id, _ in messages}
        assert len(told) == len(messages)
        # There is no message in any queue: twenty are woken in each, or as many as have a job.
        assert queued - waiting <= told or len(told) >= 20

    def active(self) -> dict[str, float]:
        return self.stores.active()

    # What always holds

    @invariant()
    def records_are_as_the_model_has_them(self) -> None:
        for model in self.models.values():
            assert self.stores.state(model.id) == model.state, model
            assert self.stores.number(model.id, "attempt") == model.attempt
            assert self.stores.number(model.id, "tries") == model.tries

    @invariant()
    def what_is_not_over_is_looked_after(self) -> None:
        living = {model.id for model in self.models.values() if model.state not in TERMINAL}
        assert set(self.active()) == living

    @invariant()
    def what_is_over_stays_as_it_is(self) -> None:
        for model in self.models.values():
            if model.state in TERMINAL:
                assert self.ended.setdefault(model.id, model.state) == model.state

    @invariant()
    def counts_agree(self) -> None:
        stats = self.stores.jobs.queue_stats()
        for state in STATES:
            assert stats.states[state] == sum(job.state == state for job in self.jobs())
        queued = [
            model
            for model in self.models.values()
            if model.state == "queued" and model.step != "parts"
        ]
        assert sum(stats.queues.values()) == len(queued)

    @invariant()
    def a_merge_waits_for_its_parts_and_for_nothing_else(self) -> None:
        for job in self.jobs():
            if job.state in TERMINAL:
                continue
            members = self.stores.redis.smembers(f"{PREFIX}:pending:{job.id}")
            assert members == job.pending
            if job.step == "parts":
                assert job.pending
                assert job.state in ("queued", "waiting")
                assert all(self.models[part].state not in TERMINAL for part in job.pending)

    @invariant()
    def rows_add_up(self) -> None:
        for job in self.jobs():
            if job.kind == "merge" and job.step == "parts" and job.state not in TERMINAL:
                progress = self.stores.jobs.get(job.id).progress
                assert progress.rows == sum(part.rows for part in job.parts)
                assert progress.rows == sum(source.rows for source in progress.sources)
                assert progress.done == progress.rows * 10
                assert progress.parts == len(job.parts)

    @invariant()
    def the_last_event_tells_the_last_state(self) -> None:
        for job in self.jobs():
            states = self.stores.states(job.id)
            assert states[-1] == job.state
            assert sum(state in TERMINAL for state in states) == (job.state in TERMINAL)
            if job.state in TERMINAL:
                assert self.stores.jobs.events(job.id)[-1].data["type"] == "state"


def test_the_scripts_do_what_the_model_does(redis_server: RedisServer, redis_url: str) -> None:
    Jobs.url = redis_url
    run_state_machine_as_test(
        Jobs,
        settings=runs(
            max_examples=50,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
