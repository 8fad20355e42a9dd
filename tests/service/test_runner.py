"""A runner, run as it is: it tells how far it is, asks before it publishes, and how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from own_sources import own_source
from registered import FORMATS
from sample_numbers import OUTCOMES

from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.merging.merge import merge
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify
from workers.jobs.job_specs import prepare_spec
from workers.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
#: Rows that take a second or more to read.
MANY = 100_000


class Runner:
    """A runner over a data folder, seen from its supervisor's place."""

    def __init__(self, data_dir: Path, job: dict[str, Any], log: Path, **settings: str) -> None:
        environment = {
            **os.environ,
            "MINDCORPUS_DATA_DIR": str(data_dir),
            "MINDCORPUS_WORKERS": "1",
            **{f"MINDCORPUS_{name.upper()}": value for name, value in settings.items()},
        }
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.execution.runner", str(os.getpid())],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                text=True,
            )
        self.say(json.dumps({"id": "0" * 32, "fence": 1, "log": {}, **job}))

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> Iterator[tuple[str, Any]]:
        """Give what it says; anything but one JSON object a line is an error."""
        assert self.process.stdout
        for line in self.process.stdout:
            ((kind, value),) = json.loads(line).items()
            yield kind, value

    def hear_until(self, kind: str) -> Any:
        """Give the first of a kind of word."""
        return next(value for said, value in self.hear() if said == kind)

    def last(self) -> tuple[str, Any]:
        """Listen to the end; give its last word."""
        *_, last = self.hear()
        assert self.process.wait(10) == 0
        return last


@contextmanager
def running(
    tmp_path: Path, job: dict[str, Any], data_dir: Path | None = None, **settings: str
) -> Iterator[Runner]:
    runner = Runner(data_dir or tmp_path / "data", job, tmp_path / "log", **settings)
    try:
        yield runner
    finally:
        runner.process.kill()
        runner.process.wait()
        assert runner.process.stdin
        assert runner.process.stdout
        runner.process.stdin.close()
        runner.process.stdout.close()


def part(source: str, **request: Any) -> dict[str, Any]:
    asked = MergeRequest(sources=(source,), **request).model_dump(mode="json")
    return {"kind": "part", "request": asked, "payload": {"source": source}}


def own_part(tmp_path: Path, rows: int) -> dict[str, Any]:
    return part("own", catalogs=(str(own_source(tmp_path / "raw", "own", rows)),))


def last_step(tmp_path: Path, **request: Any) -> dict[str, Any]:
    """Make the parts of a merge of the sample's TRACE; give the job of its last step."""
    with running(tmp_path, part("TRACE", sample=True)) as runner:
        kind, found = runner.last()
    assert kind == "done"
    asked = MergeRequest(sources=("TRACE",), sample=True, **request)
    request = asked.model_dump(mode="json")
    return {"kind": "merge", "request": request, "outcomes": {"TRACE": found}}


def test_a_part_tells_what_it_found(tmp_path: Path) -> None:
    with running(tmp_path, part("TRACE", sample=True)) as runner:
        said = list(runner.hear())
    *before, (kind, found) = said
    assert {word for word, _ in before} == {"progress"}
    assert [value["stage"] for _, value in before][-1] == "read"
    assert {value["item"] for _, value in before} == {"TRACE"}
    assert kind == "done"
    assert found["found"]["source"] == "TRACE"
    assert found["size"] == sum(file["size"] for file in found["found"]["files"])
    assert "bundles" not in found
    assert str(tmp_path) not in json.dumps(found)


# Reports come every 1/32 s, and stages change where they are told to.
REPORTS = """
import sys
sys.path.insert(0, sys.argv[1])
from clock import Clock
from mindcorpus.progress import Cancellation, Progress
from workers.execution import runner
runner.time = Clock(1 / 32)
line = runner.Line(Cancellation())
for rows in range(98):
    line.report(Progress("read" if rows < 50 else "write", rows=rows))
line.end("done", None)
"""


def test_progress_comes_five_times_a_second_and_whenever_the_stage_changes() -> None:
    told = subprocess.run(
        [sys.executable, "-c", REPORTS, str(ROOT / "tests")],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    *said, last = map(json.loads, told.stdout.splitlines())
    rows = [each["progress"]["rows"] for each in said]
    # Seven of them make a fifth of a second; what came too soon is told at the end.
    assert rows == [*range(0, 50, 7), *range(50, 98, 7), 97]
    assert last == {"done": None}


def test_progress_is_told_to_the_last_row(tmp_path: Path) -> None:
    with running(tmp_path, own_part(tmp_path, MANY // 2)) as runner:
        said = [value for kind, value in runner.hear() if kind == "progress"]
    rows = [value["rows"] for value in said if value["stage"] == "read"]
    assert rows == sorted(rows)
    assert rows[-1] == MANY // 2


def test_a_source_that_is_not_there_is_absent_or_failed(tmp_path: Path) -> None:
    with running(tmp_path, part("RedditESS")) as runner:
        assert runner.last() == ("done", {"absent": True})
    gone = part("TRACE", paths={"TRACE": str(tmp_path / "gone")})
    with running(tmp_path, gone) as runner:
        kind, value = runner.last()
    assert kind == "failed"
    assert value["error"]["code"] == "source-not-found"
    assert (value["passing"], value["of_source"]) == (False, True)


def test_a_hub_that_is_away_may_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with running(tmp_path, part("TRACE"), fetch_tries="1") as runner:
        kind, value = runner.last()
    assert kind == "failed"
    assert value["error"]["code"] == "hub-unavailable"
    assert (value["passing"], value["of_source"]) == (True, True)


# Publishing


def test_it_asks_before_it_publishes(tmp_path: Path) -> None:
    job = last_step(tmp_path)
    with running(tmp_path, job) as runner:
        assert runner.hear_until("ask") == "publish"
        assert not Store(tmp_path / "data").corpus_exists()
        runner.say("yes")
        kind, result = runner.last()
    assert kind == "done"
    assert result["records"] == OUTCOMES["TRACE"].kept
    assert verify(tmp_path / "data") == []
    assert {file["kind"] for file in result["artifacts"]} == {"corpus"}
    assert str(tmp_path) not in json.dumps(result)
    # Once more, as after a crash between the publication and its note: nothing to ask.
    with running(tmp_path, {**job, "fence": 2}) as runner:
        said = list(runner.hear())
    ((kind, told), last) = said
    assert (kind, told["stage"], told["share"], told["rows"]) == (
        "progress",
        "publish",
        1,
        OUTCOMES["TRACE"].kept,
    )
    assert last == ("done", result)


@pytest.mark.parametrize("answer", ["no", "perhaps", None])
def test_without_leave_nothing_is_published(tmp_path: Path, answer: str | None) -> None:
    job = last_step(tmp_path)
    with running(tmp_path, job) as runner:
        runner.hear_until("ask")
        assert runner.process.stdin
        if answer is None:
            runner.process.stdin.close()
        else:
            runner.say(answer)
        assert runner.last() == ("stopped", None)
    assert not Store(tmp_path / "data").corpus_exists()
    assert list((tmp_path / "data/staging").iterdir()) == []


def test_a_prepare_asks_too_and_tells_of_each_format(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    merge(MergeRequest(sample=True, sources=("TRACE",)), Settings(data_dir=data_dir, workers=1))
    request = prepare_spec(PrepareRequest(seed=7), ServiceSettings.model_validate({})).request
    job = {"kind": "prepare", "request": request}
    with running(tmp_path, job) as runner:
        assert runner.hear_until("ask") == "publish"
        runner.say("yes")
        kind, result = runner.last()
    assert kind == "done"
    assert set(result["formats"]) == {*FORMATS}
    assert result["formats"]["openai"]["rows"] == OUTCOMES["TRACE"].kept
    assert result["formats"]["openai"]["tokens"] == Store(data_dir).manifest("openai")["tokens"]
    assert {file["kind"] for file in result["artifacts"]} == {*FORMATS}
    assert verify(data_dir) == []
    split = Store(data_dir).manifest("split")
    assert split["settings"]["seed"] == 7
    assert result["split"]["settings"] == split["settings"]
    assert Store(data_dir).manifest("openai")["split_id"] == split["id"]


def test_what_exists_is_not_replaced_unasked(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    job = last_step(tmp_path)
    merge(MergeRequest(sample=True, sources=("TRACE",)), Settings(data_dir=data_dir, workers=1))
    with running(tmp_path, job) as runner:
        kind, value = runner.last()
    assert kind == "failed"
    assert value["error"]["code"] == "already-exists"
    assert str(tmp_path) not in json.dumps(value["error"]["detail"])


# Ending


def test_it_stops_when_it_is_asked_to(tmp_path: Path) -> None:
    with running(tmp_path, own_part(tmp_path, MANY)) as runner:
        while runner.hear_until("progress")["stage"] != "read":
            pass
        began = time.monotonic()
        runner.process.terminate()
        assert runner.last() == ("stopped", None)
        assert time.monotonic() - began < 2
    assert list((tmp_path / "data/staging").iterdir()) == []


def test_an_interrupt_is_for_the_supervisor(tmp_path: Path) -> None:
    with running(tmp_path, own_part(tmp_path, MANY // 4)) as runner:
        runner.hear_until("progress")
        runner.process.send_signal(signal.SIGINT)
        kind, _ = runner.last()
    assert kind == "done"


def test_more_memory_than_it_may_have_is_told_as_that(tmp_path: Path) -> None:
    # One sign beyond the basic plane: each of the thirty million takes four bytes.
    answer = "x" * 30_000_000 + "\N{SMILING FACE WITH HALO}"
    catalog = own_source(tmp_path / "raw", "own", 1, answer)
    job = part("own", catalogs=(str(catalog),))
    with running(tmp_path, job, memory_limit_mb="512") as runner:
        kind, value = runner.last()
    assert kind == "failed"
    assert value["error"]["code"] == "out-of-memory"
    assert "512 MiB" in value["error"]["title"]
    assert (value["passing"], value["of_source"]) == (False, True)


def test_a_bug_is_told_without_its_words(tmp_path: Path) -> None:
    with running(tmp_path, {"kind": "the words of a record", "request": {}}) as runner:
        kind, value = runner.last()
    assert kind == "failed"
    assert value["error"]["code"] == "error"
    assert "KeyError" in value["error"]["title"]
    assert value["passing"] is False
    log = (tmp_path / "log").read_text()
    assert "KeyError at steps.py" in log
    assert "words of a record" not in json.dumps(value) + log


def test_it_dies_with_its_supervisor(tmp_path: Path) -> None:
    supervisor = tmp_path / "supervisor.py"
    supervisor.write_text(
        textwrap.dedent(
            """
            import os, subprocess, sys
            runner = subprocess.Popen(
                [sys.executable, "-m", "workers.execution.runner", str(os.getpid())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            )
            runner.stdin.write(sys.argv[1] + "\\n")
            runner.stdin.flush()
            runner.stdout.readline()
            print(runner.pid, flush=True)
            runner.wait()
            """
        )
    )
    job = {"id": "0" * 32, "fence": 1, "log": {}, **own_part(tmp_path, MANY)}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MINDCORPUS_WORKERS": "2"}
    with subprocess.Popen(
        [sys.executable, str(supervisor), json.dumps(job)],
        cwd=ROOT,
        env={**environment, "MINDCORPUS_DATA_DIR": str(tmp_path / "data")},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        runner = psutil.Process(int(process.stdout.readline()))
        assert os.getsid(runner.pid) == runner.pid
        if sys.platform == "linux":
            assert Path(f"/proc/{runner.pid}/oom_score_adj").read_text().strip() == "900"
        process.kill()
    began = time.monotonic()
    while runner.is_running() and runner.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() - began < 2
        time.sleep(0.02)


def test_one_whose_supervisor_is_gone_does_not_begin(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers.execution.runner", "1"],
        cwd=ROOT,
        input="{}\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (1, "")
