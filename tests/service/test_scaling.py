"""The numbers that workers are added by: those of Redis' own index, at one moment."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from local_service import until
from own_sources import own_source
from redis_server import RedisServer
from running import ROOT, Service, finished

from workers.app import make_app
from workers.jobs.messages import QUEUES
from workers.redis_client import connect
from workers.settings import ServiceSettings

NAMES = ("one", "two", "three", "four")
NUMBERS = ("waiting", "oldest_seconds", "running", "capacity", "busy")


@pytest.fixture
def service(redis_server: RedisServer, tmp_path: Path) -> Iterator[Service]:
    """A service of sources that take a while to read, and no workers yet."""
    folder = tmp_path / "service"
    catalogs = [str(own_source(tmp_path / "raw", name, 5_000)) for name in NAMES]
    redis = RedisServer(folder / "redis")
    redis.start()
    made = Service(folder, redis.url, catalogs=json.dumps(catalogs))
    try:
        made.start_web()
        yield made
    finally:
        for runner in runners(made):
            runner.send_signal(signal.SIGCONT)
        made.stop()
        redis.stop()


def runners(service: Service) -> list[psutil.Process]:
    return [
        child
        for process in service.processes
        if process.process.poll() is None
        for child in psutil.Process(process.pid).children(recursive=True)
        if "workers.execution.runner" in child.cmdline()
    ]


def metrics(service: Service) -> dict[str, dict[str, float]]:
    """Give the numbers of each queue."""
    with service.client() as client:
        text = client.get(f"{service.url}/metrics").raise_for_status().text
    found: dict[str, dict[str, float]] = {}
    for name, queue, value in re.findall(
        r'^mindcorpus_queue_(\w+)\{queue="(\w+)"\} (\S+)$', text, re.MULTILINE
    ):
        found.setdefault(queue, {})[name] = float(value)
    assert {queue: tuple(each) for queue, each in found.items()} == dict.fromkeys(QUEUES, NUMBERS)
    return found


def test_numbers_of_each_queue_are_what_the_jobs_say(service: Service) -> None:
    with service.client() as client:
        jobs = [
            client.post("/merge", json={"sources": names, "force": True}).raise_for_status().json()
            for names in (["one"], ["two"], list(NAMES))
        ]
        # Nobody works yet.
        assert {
            queue: each["capacity"] for queue, each in metrics(service).items()
        } == dict.fromkeys(QUEUES, 0)
        settings = ServiceSettings.model_validate({"redis_url": service.redis_url})
        app, redis = make_app(settings), connect(settings)
        messages: Any = redis.lrange("mindcorpus:part", 0, -1)
        names = [json.loads(message)["headers"]["shadow"] for message in messages]
        assert set(names) <= {f"part {name}" for name in NAMES}
        assert len(names) == len(set(messages))
        heard: list[str] = []
        with app.connection() as line:
            receiver = app.events.Receiver(
                line, handlers={"task-received": lambda event: heard.append(event["name"])}
            )
            over = threading.Event()

            def listen() -> None:
                while not over.is_set():
                    try:
                        receiver.capture(limit=None, timeout=0.5)
                    except TimeoutError:
                        continue

            listening = threading.Thread(target=listen)
            listening.start()
            service.start_worker(slots=2)
            until(lambda: len(runners(service)) == 2)
            stopped = runners(service)
            for runner in stopped:
                runner.send_signal(signal.SIGSTOP)

            def states() -> Counter[str]:
                now = [client.get(f"/jobs/{job['id']}").json() for job in jobs]
                assert not any(job["state"] in ("succeeded", "failed") for job in now)
                return Counter(
                    source["state"] for job in now for source in job["progress"]["sources"]
                )

            # Nothing moves any more: what the jobs tell is what the numbers say.
            until(lambda: states()["running"] == 2)
            found, told = metrics(service), states()
            assert found["part"]["waiting"] == told["queued"] > 0
            assert found["part"]["running"] == told["running"] == 2
            assert 0 < found["part"]["oldest_seconds"] < 120
            idle = {"waiting": 0, "oldest_seconds": 0, "running": 0, "capacity": 2, "busy": 2}
            assert (found["part"]["capacity"], found["part"]["busy"]) == (2, 2)
            assert found["prepare"] == found["finalise"] == idle
            assert redis.llen("mindcorpus:part") != told["queued"], "Celery's list tells it too"
            for runner in stopped:
                runner.send_signal(signal.SIGCONT)
            for job in jobs:
                assert finished(client, job)["state"] == "succeeded", service.log()
            over.set()
            listening.join()
        until(lambda: metrics(service)["part"]["busy"] == 0)
        idle["busy"] = 0
        assert metrics(service) == dict.fromkeys(QUEUES, idle)
        assert {f"part {name}" for name in NAMES} <= set(heard)
        assert "merge one" in heard
        app.close()
        redis.close()
        service.processes[-1].stop()
        assert {each["capacity"] for each in metrics(service).values()} == {0}


def test_the_example_for_keda_asks_for_numbers_that_there_are() -> None:
    (scaled,) = yaml.safe_load_all((ROOT / "deploy" / "keda.yaml").read_text())
    assert (scaled["apiVersion"], scaled["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    spec = scaled["spec"]
    assert spec["scaleTargetRef"]["name"]
    assert 0 < spec["minReplicaCount"] <= spec["maxReplicaCount"]
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "prometheus"
    # All metadata of a trigger are texts.
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    assert {"serverAddress", "query", "threshold"} <= trigger["metadata"].keys()
    named = set(re.findall(r"mindcorpus_queue_(\w+)", trigger["metadata"]["query"]))
    assert named
    assert named <= set(NUMBERS)
