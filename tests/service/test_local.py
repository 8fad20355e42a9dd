"""`make run`: all of the service on one machine, and nothing of it left when it ends."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from local_service import ROOT, LocalService, until
from sample_numbers import KEPT, OUTCOMES, READ

from mindcorpus.cli.main import cli
from mindcorpus.cli.terminal import Terminal
from mindcorpus.client.service import ServiceClient
from mindcorpus.job_requests import MergeRequest
from mindcorpus.verify import verify
from web.local import first_jobs
from web.local.ready import what_is_missing

if TYPE_CHECKING:
    from psutil import Process

FORMATS = ("mental_health_openai.jsonl", "mental_health_huggingface")
CORPUS = "merged_mental_health_dataset.json"
REAL = ROOT / "mindcorpus/sample/datasets/PomboLabs/TRACE"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """One that stays up; tests that kill parts of it wait until it is whole again."""
    with LocalService(tmp_path_factory.mktemp("local")) as running:
        running.expect("Ctrl-C stops it.")
        yield running
        running.process.send_signal(signal.SIGINT)
        assert running.end() == 0, running.said
        assert not running.started


def test_once_makes_corpus_and_formats_shows_them_and_leaves_nothing(tmp_path: Path) -> None:
    with LocalService(tmp_path, "--once") as once:
        assert once.end() == 0, once.said
        assert not once.started
        data = tmp_path / "datasets"
        assert all((data / name).exists() for name in (CORPUS, *FORMATS))
        assert verify(data) == []
        for said in (
            "Local mode: starting ",
            "2 workers and the web server in datasets",
            f"Merged {KEPT:,} records from {READ:,} rows",
            "Every row accounted for",
            "datasets/mental_health_openai.jsonl",
            f"{once.url}/docs",
            "Stopping the web server, the workers and Redis.",
        ):
            assert said in once.said
        assert once.said.count(once.token) == 1
        state = tmp_path / "datasets-state"
        kept = [*state.rglob("*.json"), *(data / ".service/logs").iterdir()]
        assert not any(once.token.encode() in file.read_bytes() for file in kept)
        password = (state / "redis-password").read_text()
        assert password not in once.said
        assert not any(password.encode() in file.read_bytes() for file in kept)


def test_it_says_how_to_get_in(local: LocalService) -> None:
    with ServiceClient(local.url, local.token) as client:
        assert [job["kind"] for job in client.jobs(state="succeeded")][-2:] == ["prepare", "merge"]
        assert client.statistics()["records"] == KEPT


@pytest.mark.parametrize(
    "words",
    [
        ("gunicorn",),
        ("celery", "worker1@%h"),
        ("celery", "worker2@%h"),
        ("redis",),
    ],
    ids=lambda words: words[-1],
)
def test_whatever_dies_is_healed(words: tuple[str, ...], local: LocalService) -> None:
    said = len(local.said)
    (first, *rest) = _redis(local) if words == ("redis",) else local.named(*words)
    first.kill()
    until(lambda: "ended (killed by signal 9); it starts again" in local.said[said:])
    until(lambda: not any(process.is_running() for process in (first, *rest)), seconds=5)
    until(lambda: what_is_missing(local.url) is None)
    with ServiceClient(local.url, local.token) as client:
        submission = client.submit_merge(MergeRequest(sample=True, force=True))
        assert submission.job is not None
        assert client.watch(submission.job["id"])["state"] == "succeeded"


def _redis(local: LocalService) -> list[Process]:
    return [
        process for process in local.started if process.name() in ("redis-server", "valkey-server")
    ]


def test_a_data_folder_has_one_local_service(local: LocalService, tmp_path: Path) -> None:
    data = str(local.folder / "datasets")
    with LocalService(tmp_path, MINDCORPUS_DATA_DIR=data) as second:
        assert second.end() == 3
        refusal = f"error: the service runs already in {data}: process {local.process.pid}"
        assert refusal in second.said
        assert "MINDCORPUS_DATA_DIR" in second.said
        assert not second.started
    assert what_is_missing(local.url) is None


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with LocalService(tmp_path, MINDCORPUS_PORT=port) as refused:
            assert refused.end() == 3
            assert f"port {port} of 127.0.0.1: address already in use" in refused.said
            assert "MINDCORPUS_PORT" in refused.said
            assert not refused.started


def test_kill_9_leaves_nothing_behind_and_the_next_start_goes_on(tmp_path: Path) -> None:
    soon = {"MINDCORPUS_LEASE_SECONDS": "2"}
    with LocalService(tmp_path, **soon) as killed:
        killed.expect("Merging the sample")
        assert len(killed.started) >= 6
        killed.process.kill()
        until(lambda: not killed.started, seconds=5)
    with LocalService(tmp_path, "--once", **soon) as after:
        assert after.end() == 0, after.said
        assert f"Merged {KEPT:,} records" in after.said


def test_ctrl_c_in_the_middle_stops_everything(tmp_path: Path) -> None:
    with LocalService(tmp_path) as stopped:
        stopped.expect("Merging the sample")
        began = time.monotonic()
        stopped.process.send_signal(signal.SIGINT)
        assert stopped.end() == 130
        assert time.monotonic() - began < 30
        assert not stopped.started
        assert "what was being made goes on with the next start" in stopped.said
        assert "Traceback" not in stopped.said


def test_a_real_corpus_is_kept_and_without_an_installed_redis_the_extra_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "datasets"
    cli.main(
        ["merge", "--source=TRACE", f"--path=TRACE={REAL}", f"--data-dir={data}"],
        standalone_mode=False,
    )
    before = (data / CORPUS).resolve()
    bare = tmp_path / "bin"
    bare.mkdir()
    with LocalService(tmp_path, "--once", PATH=str(bare), MINDCORPUS_TOKEN="a" * 20) as once:
        assert once.end() == 0, once.said
        assert re.search(r"starting valkey [\d.]+ \(of the extra local\)", once.said)
        assert "It is kept." in once.said
        assert f"{OUTCOMES['TRACE'].kept} records" in once.said
        assert "that of MINDCORPUS_TOKEN" in once.said
        assert "a" * 20 not in once.said
    assert (data / CORPUS).resolve() == before
    assert all((data / name).exists() for name in FORMATS)


def test_a_redis_of_ones_own_is_used(tmp_path: Path, redis_url: str) -> None:
    with LocalService(tmp_path, "--once", MINDCORPUS_REDIS_URL=redis_url) as once:
        assert once.end() == 0, once.said
        assert "with the Redis of MINDCORPUS_REDIS_URL" in once.said
        assert not (tmp_path / "datasets/.service/redis").exists()


def test_findings_that_are_no_rule_of_the_chat_files_are_advice(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = {
        "rows": 1,
        "path": "foreign.jsonl",
        "skipped": {},
        "split": None,
        "warnings": [],
        "findings": {"of-another-format": 2},
    }
    first_jobs._show_formats(Terminal(), tmp_path, {"split": None, "formats": {"sharegpt": made}})
    assert "sharegpt: name " in capsys.readouterr().out
