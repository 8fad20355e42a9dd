"""The command line and the Python client against a real service: same screens, another machine."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from command_line import MAIN, PATIENCE, Ran, Session, environment, run
from documents import blocks, read

from mindcorpus.cli.service import list_jobs
from mindcorpus.client.downloads import _Part
from mindcorpus.client.events import FINAL
from mindcorpus.client.service import ServiceClient
from mindcorpus.errors import AccessDeniedError, ServiceError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.progress import Progress
from mindcorpus.remedies import OwnCopy
from workers.jobs.job import KINDS, STATES, TERMINAL

if TYPE_CHECKING:
    from playing import Player
    from running import Service

CORPUS = "merged_mental_health_dataset"
CHAT = "mental_health_openai.jsonl"
CTRL_C = "\x03"


def ask(service: Service, *arguments: object, cwd: Path) -> Ran:
    """Run a command with `--server`; the token is where it belongs."""
    ran = run("--server", service.url, *arguments, cwd=cwd, MINDCORPUS_TOKEN=service.token)
    assert service.token not in ran.out + ran.err
    return ran


def queued(client: ServiceClient) -> str:
    """Ask for a prepare, and give its id."""
    submission = client.submit_prepare(PrepareRequest(format="openai", force=True))
    assert submission.job is not None
    return str(submission.job["id"])


@pytest.fixture
def remote(quiet: Service, corpus: Path) -> Iterator[ServiceClient]:
    """A client of the service without workers, which has the sample's corpus and formats."""
    with ServiceClient(quiet.url, quiet.token) as made:
        yield made


# Merge and prepare


def test_a_merge_there_looks_as_one_here(service: Service, tmp_path: Path) -> None:
    def counts(ran: Ran) -> str:
        assert ran.code == 0, ran.err
        return ran.out.partition("\nFiles\n")[0]

    # All of it is there already, whoever has merged there before.
    again = ("merge", "--sample", "--force", "--rehash")
    ask(service, "merge", "--sample", "--force", cwd=tmp_path)
    there = ask(service, *again, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
    run("merge", "--sample", cwd=tmp_path)
    assert counts(there) == counts(run(*again, cwd=tmp_path))
    for name in ("json", "csv", "parquet", "lineage.parquet"):
        assert re.search(rf"^{CORPUS}\.{name} +[\d.]+ kB$", there.out, re.MULTILINE)
    assert f"mindcorpus --server {service.url} prepare" in there.out
    assert f"download {CORPUS}.json" in there.out
    assert "\x1b" not in there.out + there.err


def test_a_prepare_there_looks_as_one_here(service: Service, tmp_path: Path) -> None:
    chosen = ("prepare", "--exclude", "Psych-101", "--cap", "TRACE=5", "--seed", 7, "--force")
    there = ask(service, *chosen, cwd=tmp_path)
    assert there.code == 0, there.err
    assert run("merge", "--sample", cwd=tmp_path).code == 0
    here = run(*chosen, cwd=tmp_path)
    out = here.out.replace(" in datasets/", " in ")
    assert there.out.partition("\nNext\n")[0] == out.partition("\nNext\n")[0]
    assert f"openai: mindcorpus --server {service.url} download {CHAT}\n" in there.out


@pytest.mark.parametrize("arguments", [["merge", "--sample"], ["prepare"], ["prepare", "openai"]])
def test_nothing_there_is_replaced_unasked(
    arguments: list[str], service: Service, tmp_path: Path
) -> None:
    before = sorted(path.name for path in (service.data_dir / "artifacts").iterdir())
    ran = ask(service, *arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (7, "")
    assert "records, built" in ran.err
    assert "--force" in ran.err
    assert sorted(path.name for path in (service.data_dir / "artifacts").iterdir()) == before


def test_commercial_only_says_what_is_left_out_there(service: Service, tmp_path: Path) -> None:
    ran = ask(service, "merge", "--sample", "--commercial-only", cwd=tmp_path)
    assert ran.code == 7
    assert "- TRACE: CC-BY-NC-4.0, commercial use: no. " in ran.err
    assert "Psych-101:" not in ran.err


def test_what_the_service_refuses_ends_as_it_would_here(service: Service, tmp_path: Path) -> None:
    ran = ask(service, "merge", "--source", "Nobody", cwd=tmp_path)
    assert ran.code == 3
    assert "Nobody" in ran.err


# Reading


def test_status_and_statistics_are_those_of_the_service(service: Service, tmp_path: Path) -> None:
    def here(*arguments: str) -> str:
        ran = run(*arguments, cwd=tmp_path, MINDCORPUS_DATA_DIR=str(service.data_dir))
        # Where the server's folder lies, and what else its disk holds, is not told from afar.
        return ran.out.replace(f"{service.data_dir}/", "").partition("\nOn the disk\n")[0]

    for command in ("status", "stats"):
        there = ask(service, command, "--json", cwd=tmp_path)
        assert there.json == json.loads(here(command, "--json"))
        assert ask(service, command, cwd=tmp_path).out == here(command)


def test_charts_are_written_here(service: Service, tmp_path: Path) -> None:
    assert ask(service, "stats", "--html", "page.html", cwd=tmp_path).code == 0
    page = (tmp_path / "page.html").read_text()
    assert page.endswith("</html>\n")
    assert "CC-BY-NC-4.0" in page


def test_a_variable_names_the_service_too(service: Service, tmp_path: Path) -> None:
    there = partial(
        run, cwd=tmp_path, MINDCORPUS_SERVER=service.url, MINDCORPUS_TOKEN=service.token
    )
    start = (sys.executable, "-c", "from mindcorpus.cli import main; main.merge_datasets()")
    ran = there("--sample", start=start)
    assert (ran.code, list(tmp_path.iterdir())) == (7, [])
    job = there("merge", "--sample", "--force", "--detach").out.strip()
    assert "Next: mindcorpus prepare" in there("watch", job).out
    # What only this machine knows is not disturbed by it.
    assert there("sources").code == 0


@pytest.mark.parametrize("token", ["", "wrong-token-of-the-tests"])
def test_a_token_that_does_not_do_ends_with_8(token: str, service: Service, tmp_path: Path) -> None:
    ran = run("--server", service.url, "jobs", cwd=tmp_path, MINDCORPUS_TOKEN=token)
    assert (ran.code, ran.out) == (8, "")
    assert "MINDCORPUS_TOKEN" in ran.err
    assert not token or token not in ran.err


# Jobs


def test_what_jobs_are_listed_by_is_what_a_job_can_be() -> None:
    types = {option.name: option.type for option in list_jobs.params}
    offered = {
        name: tuple(kind.choices) for name, kind in types.items() if isinstance(kind, click.Choice)
    }
    assert offered == {"kind": KINDS, "state": STATES}
    assert FINAL == TERMINAL


def test_a_detached_job_is_listed_and_watched_later(service: Service, tmp_path: Path) -> None:
    ran = ask(service, "merge", "--sample", "--force", "--detach", cwd=tmp_path)
    assert ran.code == 0, ran.err
    job = ran.out.strip()
    assert re.fullmatch("[0-9a-f]{32}", job)
    watched = ask(service, "watch", job, cwd=tmp_path)
    assert watched.code == 0
    assert "Every row accounted for" in watched.out
    ended = ask(service, "watch", job, "--json", cwd=tmp_path).json
    assert (ended["id"], ended["state"]) == (job, "succeeded")
    listed = ask(service, "jobs", "--kind", "merge", cwd=tmp_path)
    assert re.search(rf"^{job}  merge .* succeeded$", listed.out, re.MULTILINE)
    found = ask(service, "jobs", "--state", "succeeded", "--limit", 1, "--json", cwd=tmp_path)
    assert [each["id"] for each in found.json] == [job]
    assert "no such jobs" in ask(service, "jobs", "--state", "failed", cwd=tmp_path).out


def test_ctrl_c_ends_the_watching_and_not_the_job(
    remote: ServiceClient, quiet: Service, tmp_path: Path
) -> None:
    job = queued(remote)
    session = Session(
        *("--server", quiet.url, "watch", job), cwd=tmp_path, MINDCORPUS_TOKEN=quiet.token
    )
    with session:
        session.expect("the job goes on")
        session.settle()
        session.type(CTRL_C)
        session.expect("no longer watching")
        session.expect(f"mindcorpus --server {quiet.url} watch {job}")
        session.expect(f"mindcorpus --server {quiet.url} cancel {job}")
        assert session.end() == 130
    assert "Traceback" not in session.seen
    assert remote.job(job)["state"] == "queued"
    assert "is cancelled" in ask(quiet, "cancel", job, cwd=tmp_path).out
    ran = ask(quiet, "watch", job, cwd=tmp_path)
    assert ran.code == 130
    assert f"retry {job}" in ran.err


def test_a_yes_on_the_terminal_replaces_what_is_there(service: Service, tmp_path: Path) -> None:
    arguments = ("--server", service.url, "prepare", "openai")
    with Session(*arguments, cwd=tmp_path, MINDCORPUS_TOKEN=service.token) as session:
        session.expect("records, built")
        session.expect("Replace it? ")
        session.settle()
        session.type("y\r")
        for said in ("the job goes on", "✓", "publish", "openai: ", "Next"):
            session.expect(said)
        assert session.end() == 0


def test_a_failed_job_ends_as_it_would_here_and_can_be_run_again(
    remote: ServiceClient, quiet: Service, playing: Player, tmp_path: Path
) -> None:
    job = queued(remote)
    playing.take(job)
    remedy = OwnCopy("TRACE")
    hint = "Ask for access,"
    playing.fail(job, AccessDeniedError("the repository is gated", hint=hint, remedy=remedy))
    ran = ask(quiet, "watch", job, cwd=tmp_path)
    assert ran.code == AccessDeniedError.exit_code
    assert "the repository is gated" in ran.err
    assert "Ask for access, or use a copy of your own with --path TRACE=FOLDER. Run" in ran.err
    assert f"retry {job}" in ran.err
    assert "failed: the repository is gated" in ask(quiet, "jobs", cwd=tmp_path).out
    again = ask(quiet, "retry", job, "--detach", cwd=tmp_path).out.strip()
    assert remote.job(again)["retry_of"] == job


def test_a_running_job_is_asked_to_stop(
    remote: ServiceClient, quiet: Service, playing: Player, tmp_path: Path
) -> None:
    job = queued(remote)
    playing.take(job)
    assert "asked to stop" in ask(quiet, "cancel", job, cwd=tmp_path).out
    playing.stop(job)
    assert remote.job(job)["state"] == "cancelled"
    assert remote.cancel(job)["state"] == "cancelled"  # once more does no harm


def test_what_there_is_not_ends_with_8(
    remote: ServiceClient, quiet: Service, tmp_path: Path
) -> None:
    ran = ask(quiet, "watch", "0" * 32, cwd=tmp_path)
    assert (ran.code, ran.out) == (8, "")
    with pytest.raises(ServiceError) as raised:
        remote.job("0" * 32)
    assert raised.value.answered == "job-not-found"
    assert ask(quiet, "watch", "nonsense", cwd=tmp_path).code == 3


def test_watching_goes_on_over_a_killed_server(
    remote: ServiceClient, quiet: Service, playing: Player, tmp_path: Path
) -> None:
    job = queued(remote)
    playing.take(job)
    watching = subprocess.Popen(
        [*MAIN, "--server", quiet.url, "watch", job, "--json"],
        cwd=tmp_path,
        env=environment(MINDCORPUS_TOKEN=quiet.token),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with watching:
        assert watching.stderr is not None
        assert job in watching.stderr.readline()
        playing.report(job, 1)
        quiet.processes.pop(0).kill()
        playing.report(job, 2)
        quiet.start_web()
        playing.report(job, 3)
        playing.succeed(job)
        out, err = watching.communicate(timeout=PATIENCE)
    assert watching.returncode == 0, err
    assert '"state": "succeeded"' in out


def test_a_job_s_events_come_once_and_in_order_over_a_killed_server(
    remote: ServiceClient, quiet: Service, playing: Player
) -> None:
    job = queued(remote)
    events = remote.events(job)
    heard = [next(events)]
    playing.take(job)
    playing.report(job, 1)
    while heard[-1].data["rows"] != 1:
        heard.append(next(events))
    quiet.processes.pop(0).kill()
    playing.report(job, 2)
    quiet.start_web()
    playing.succeed(job)
    heard += events
    assert heard[-1].final
    held = playing.stream(job)
    seen = [event.id for event in heard[1:]]
    assert seen == held[held.index(heard[0].id) + 1 :]


def test_progress_of_a_job_reaches_the_reporter(service: Service) -> None:
    seen: list[Progress] = []
    with ServiceClient(service.url, service.token) as client:
        submission = client.submit_prepare(PrepareRequest(force=True))
        assert submission.job is not None
        job = client.watch(submission.job["id"], seen.append)
    assert job["state"] == "succeeded"
    assert {progress.stage for progress in seen} & {"write", "publish"}


# Downloads


def test_a_file_is_brought_here_and_checked(service: Service, tmp_path: Path) -> None:
    listed = ask(service, "download", "--json", cwd=tmp_path).json
    [entry] = [file for file in listed["openai"] if file["path"] == CHAT]
    ran = ask(service, "download", CHAT, cwd=tmp_path)
    assert (ran.code, ran.out) == (0, f"{CHAT}\n")
    digest = hashlib.sha256((tmp_path / CHAT).read_bytes()).hexdigest()
    assert digest == entry["sha256"]
    assert ask(service, "download", CHAT, cwd=tmp_path).code == 7
    assert ask(service, "download", CHAT, "--force", cwd=tmp_path).code == 0
    assert [path.name for path in tmp_path.iterdir()] == [CHAT]
    assert CHAT in ask(service, "download", cwd=tmp_path).out


def test_a_folder_is_brought_as_an_archive(service: Service, tmp_path: Path) -> None:
    ran = ask(service, "download", "mental_health_huggingface", "-o", tmp_path, cwd=tmp_path)
    assert ran.code == 0, ran.err
    archive = tmp_path / "mental_health_huggingface.tar"
    with tarfile.open(archive) as files:
        names = files.getnames()
    assert any(name.endswith("dataset_dict.json") for name in names)


def test_a_part_of_a_file_is_gone_on_with(service: Service, tmp_path: Path) -> None:
    with ServiceClient(service.url, service.token) as client:
        [entry] = [
            each for each in client.artifacts()["corpus"] if each["path"] == f"{CORPUS}.json"
        ]
        whole = client.download(entry["path"], tmp_path / "whole.json").read_bytes()
        sizes: list[int] = []

        def note(progress: Progress) -> None:
            sizes.append(progress.done)

        part = _Part.of(tmp_path / "again.json", f'"{entry["sha256"]}"')
        part.path.write_bytes(whole[:1000])
        again = client.download(entry["path"], tmp_path / "again.json", note)
    assert again.read_bytes() == whole
    assert sizes[0] == 1000
    assert not part.path.exists()


def test_what_is_not_to_be_had_is_told(service: Service, tmp_path: Path) -> None:
    for path in ("nothing.json", "../.service/tokens.json"):
        ran = ask(service, "download", path, cwd=tmp_path)
        assert ran.code == 8
    assert list(tmp_path.iterdir()) == []


# docs/python-api.md


def test_the_documented_example_prints_what_it_says(service: Service, tmp_path: Path) -> None:
    [example] = blocks(read("docs/python-api.md"), "py")
    script = example.replace("http://127.0.0.1:8000", service.url).replace("report=print", "")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(MINDCORPUS_TOKEN=service.token),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == re.findall(r"^ *# -> (.*)$", script, re.MULTILINE)
