"""Numbers for Prometheus: jobs, as Redis knows them, and requests, as this process answered them.

Jobs are the same whichever process is asked. Counts of requests are of one process alone: with
`WEB_CONCURRENCY` above 1 a scrape reaches any of them, so each series carries the label `process`,
and sums over it are right over a few scrapes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from workers.errors import RedisUnavailableError
from workers.jobs.job_store import JobStore
from workers.jobs.queue_stats import WORKER_SECONDS

_QUEUE_NUMBERS = {
    "waiting": "Jobs and parts that wait in a queue.",
    "oldest": "How many seconds the first of a queue has waited.",
    "running": "Jobs and parts of a queue that are worked on.",
    "capacity": "Slots of live workers that take a queue's jobs.",
    "busy": "Of these slots, those that have work.",
}
_METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH")


class JobCollector(Collector):
    """Counts jobs when it is asked; without Redis it says only that there is none."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def describe(self) -> Iterator[Metric]:
        """Name the one metric that is always there; asks Redis for nothing."""
        yield _redis_up(0)

    def collect(self) -> Iterator[Metric]:
        """Give what Redis knows now."""
        try:
            stats = self._store.queue_stats()
        except RedisUnavailableError:
            yield _redis_up(0)
            return
        yield _redis_up(1)
        jobs = GaugeMetricFamily("mindcorpus_jobs", "Jobs by state.", labels=["state"])
        for state, count in stats.states.items():
            jobs.add_metric([state], count)
        yield jobs
        yield GaugeMetricFamily(
            "mindcorpus_queue_age_seconds",
            "How long the job that waits longest has waited.",
            value=stats.oldest_queued or 0.0,
        )
        for name, words in _QUEUE_NUMBERS.items():
            unit = "oldest_seconds" if name == "oldest" else name
            family = GaugeMetricFamily(f"mindcorpus_queue_{unit}", words, labels=["queue"])
            for queue, load in stats.loads.items():
                family.add_metric([queue], getattr(load, name))
            yield family
        yield GaugeMetricFamily(
            "mindcorpus_workers",
            f"Workers heard of within {WORKER_SECONDS:.0f} s.",
            value=sum(worker.seen <= WORKER_SECONDS for worker in stats.workers),
        )
        yield CounterMetricFamily(
            "mindcorpus_lease_losses",
            "Leases that ran out under a job, or a part of one.",
            value=stats.lease_losses,
        )
        yield GaugeMetricFamily(
            "mindcorpus_unreadable_jobs",
            "Records of jobs that were set aside, as they cannot be read.",
            value=stats.unreadable,
        )
        ended = CounterMetricFamily(
            "mindcorpus_jobs_ended", "Jobs that ended, by how.", labels=["kind", "state"]
        )
        for (kind, state), count in stats.ended.items():
            ended.add_metric([kind, state], count)
        yield ended
        durations = SummaryMetricFamily(
            "mindcorpus_job_seconds", "How long jobs ran that ended.", labels=["kind"]
        )
        for kind, (count, seconds) in stats.durations.items():
            durations.add_metric([kind], count_value=count, sum_value=seconds)
        yield durations


def install(app: Flask, store: JobStore) -> CollectorRegistry:
    """Count an app's requests; gives the registry that holds these and the jobs' numbers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(JobCollector(store))
    counts = Counter(
        "mindcorpus_http_requests",
        "Requests answered.",
        ["route", "method", "status", "process"],
        registry=registry,
    )
    seconds = Histogram(
        "mindcorpus_http_request_seconds",
        "Time until an answer began.",
        ["route", "method", "process"],
        registry=registry,
        buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    )

    def count(response: Response) -> Response:
        # Templates and known methods only: what clients make up would be series without end.
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in _METHODS else "other"
        process = str(os.getpid())
        counts.labels(route, method, str(response.status_code), process).inc()
        seconds.labels(route, method, process).observe(time.perf_counter() - g.began)
        return response

    app.after_request(count)
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """Give all numbers in Prometheus' text format."""
    return generate_latest(registry)


def _redis_up(value: int) -> Metric:
    return GaugeMetricFamily("mindcorpus_redis_up", "Whether Redis answers.", value=value)
