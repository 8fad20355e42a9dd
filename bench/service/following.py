"""Events as clients hear them: the first of a job, how late they come, a hundred streams."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from statistics import median

from bench.service.answering import RATE, poll
from bench.service.api import BASE
from bench.service.backlog import AT_FIRST, Backlog, Numbers, merge_of
from bench.service.children import Listening
from bench.service.figures import Delays, EventHub, FirstProgress, Spread
from bench.service.listener import JobSpec, Stream
from bench.service.stack import Stack, StackError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.progress import Progress
from workers.jobs.job_specs import prepare_spec
from workers.jobs.leases import Claim, ClaimStore

STREAMS = 100
_JOBS = 10
_PAUSE = 0.25  # as a runner tells
_FEWEST = 3.0  # seconds: a part begins by loading for one of them
_LONGEST = 120.0  # seconds; a stream keeps a thousand events, and all are compared
_GRACE = 1.0  # seconds in which the last events arrive


def measure_first_progress(
    stack: Stack, sources: Sequence[str], numbers: Numbers, times: int
) -> FirstProgress:
    """Measure a POST to the first progress event, with idle workers, one job after the other."""
    api = stack.api()
    heard, accepted, begun = [], [], []
    for _ in range(times):
        stack.wait_until_idle()
        # Nothing may be there already.
        shutil.rmtree(stack.data_dir / "parts", ignore_errors=True)
        start = time.time()
        job_id = api.submit(merge_of(sources, numbers.next()))["id"]
        accepted.append(time.time() - start)
        for event in api.follow(job_id):
            if event.kind == "state" and event.data["state"] == "waiting":
                begun.append(event.data["at"] / 1000 - start)
            if event.kind == "progress":
                heard.append(event.at - start)
                break
        api.cancel(job_id)
    stack.wait_until_idle()
    return FirstProgress(Spread.of(heard), median(accepted), median(begun))


def measure_delays(stack: Stack, backlog: Backlog, seconds: float) -> Delays:
    """Measure from the append to the client, on merges that both workers are busy with."""
    backlog.begin()
    paths = [_events_of(job_id) for job_id in backlog.job_ids[-AT_FIRST:]]
    with Listening(JobSpec(stack.port, stack.token, paths)) as listening:
        time.sleep(max(seconds, _FEWEST))
        heard = listening.end()
    if not _delays(heard.streams):
        raise StackError("no event was heard of merges that are at work")
    return Delays(Spread.of(_delays(heard.streams)), backlog.working)


def measure_streams(stack: Stack, backlog: Backlog, seconds: float) -> EventHub:
    """Measure a hundred open streams, with a job polled beside them, while both workers are busy.

    The ten jobs that they follow are held by the bench itself, through the workers' own scripts,
    and tell progress as often as a runner may: so they last as long as the bench wants.
    """
    playing = _Playing(stack)
    paths = [_events_of(job_id) for job_id in playing.job_ids for _ in range(STREAMS // _JOBS)]
    with playing, Listening(JobSpec(stack.port, stack.token, paths)) as listening:
        polling = poll(stack, playing.job_ids[0], min(seconds, _LONGEST), RATE, backlog)
        playing.pause()
        time.sleep(_GRACE)
        heard = listening.end()
    appended = {
        _events_of(job_id): [event.id for event in stack.store.events(job_id)]
        for job_id in playing.job_ids
    }
    return EventHub(
        opened=len(heard.streams),
        alive=sum(stream.alive for stream in heard.streams),
        complete=sum(_is_complete(stream, appended[stream.path]) for stream in heard.streams),
        events=sum(len(stream.ids) for stream in heard.streams),
        delays=Spread.of(_delays(heard.streams)),
        polling=polling,
        listener_cpu=heard.cpu_seconds / heard.seconds,
    )


def _events_of(job_id: str) -> str:
    return f"{BASE}/jobs/{job_id}/events"


def _delays(streams: Sequence[Stream]) -> list[float]:
    return [delay for stream in streams for delay in stream.delays]


def _is_complete(stream: Stream, appended: Sequence[str]) -> bool:
    """Whether a stream heard all that was appended after its snapshot, each once, in order."""
    if stream.first not in appended:
        return False
    return stream.ids == list(appended[appended.index(stream.first) + 1 :])


class _Playing:
    """Holds jobs and tells progress of them, from `with` to the end of its block."""

    def __init__(self, stack: Stack) -> None:
        self._claims = ClaimStore(stack.redis, stack.settings)
        self._held: list[Claim] = []
        for number in range(_JOBS):
            settings = stack.settings.model_copy(update={"seed": number})
            job = stack.store.submit(prepare_spec(PrepareRequest(), settings)).job
            claim = self._claims.claim(job.id, f"bench {number}", "bench", 0)
            assert isinstance(claim, Claim), claim
            self._held.append(claim)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="playing", daemon=True)

    @property
    def job_ids(self) -> list[str]:
        """The jobs that are held."""
        return [claim.job_id for claim in self._held]

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.pause()

    def pause(self) -> None:
        """Tell nothing any more."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        rows = 0
        while not self._done.wait(_PAUSE):
            rows += 1
            for claim in self._held:
                self._claims.beat(claim, Progress("write", "openai", rows, done=rows * 1000))
