"""Who did what: all of it is written down by the running service, and never a word of a record."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running import ROOT, Service

from web.access.audit_log import AuditLog

OWN = {"Sec-Fetch-Site": "same-origin"}
SEARCHED = "neighbour"
CORPUS = "merged_mental_health_dataset.json"


@pytest.fixture
def log(quiet: Service) -> Path:
    """The log of the service without workers, which is empty."""
    folder = quiet.tokens_file.parent / "audit"
    for file in folder.glob("*"):
        file.unlink()
    return folder


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


def web(service: Service, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "web", *arguments],
        cwd=ROOT,
        env={**os.environ, "MINDCORPUS_DATA_DIR": str(service.data_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.splitlines()


@dataclass(frozen=True)
class Done:
    """What was done, as far as it is to be found in the log again."""

    found: list[int]
    again: list[int]
    sha256: str
    job: str
    retried: str
    secrets: tuple[str, ...]


def do_all(service: Service) -> Done:
    """Do each thing that is written down, and some that are not."""
    (text,) = web(service, "token", "new", "--name", "ada", "--scope", "write")
    with service.client(text) as api, service.client("mc_wrong") as stranger:
        page = api.get("/records", params={"limit": 3, "search": SEARCHED}).json()["records"]
        again = api.get("/records", params={"search": SEARCHED, "offset": 1, "limit": 1}).json()
        api.get("/records", params={"offset": 4, "limit": 2})
        shown = [*page, api.get("/records/7").json()["record"]]
        assert api.get("/records/99999999").status_code == 404
        api.get(f"/artifacts/{CORPUS}")
        api.get(f"/artifacts/{CORPUS}", headers={"Range": "bytes=10-19"})
        assert api.get("/artifacts/nothing.json").status_code == 404
        stranger.get("/jobs")
        job = api.post("/merge", json={"sample": True, "force": True}).json()["id"]
        joining = {"sample": True, "force": True, "label": "weekly"}
        assert api.post("/merge", json=joining).json()["id"] == job
        api.delete(f"/jobs/{job}")
        retried = api.post(f"/jobs/{job}/retry").json()["id"]
        # What tells of no record leaves no line.
        for path in ("/jobs", f"/jobs/{job}", "/statistics", "/sources", "/merge"):
            assert api.get(path).status_code == 200
        listed = api.get("/artifacts").json()["artifacts"]["corpus"]
    with httpx2.Client(base_url=service.url, headers=OWN, timeout=30) as visitor:
        visitor.post("/sign-in", data={"token": "mc_wrong"})
        visitor.post("/sign-in", data={"token": text})
        assert visitor.get("/records/7").status_code == 200
        assert visitor.get("/records", params={"search": SEARCHED}).status_code == 200
        assert visitor.get("/records/export", params={"search": SEARCHED}).status_code == 200
        visitor.post("/sign-out")
    (weak,) = web(service, "token", "new", "--name", "eve", "--scope", "admin")
    with service.client(weak) as other:
        assert other.get("/records/7").status_code == 403
    web(service, "token", "revoke", "ada")
    return Done(
        found=[record["row"] for record in page],
        again=[record["row"] for record in again["records"]],
        sha256=next(file["sha256"] for file in listed if file["path"] == CORPUS),
        job=job,
        retried=retried,
        secrets=(*(record["input"] for record in shown), SEARCHED, text, "mc_wrong"),
    )


def test_all_that_is_done_is_written_down_and_no_text(
    quiet: Service, corpus: Path, log: Path
) -> None:
    build = (corpus / "artifacts" / "corpus").resolve().name
    size = (corpus / CORPUS).stat().st_size
    done = do_all(quiet)
    written = lines(log)
    for line in written:
        assert abs(datetime.now(UTC) - datetime.fromisoformat(line["time"])) < timedelta(minutes=5)
    asked = [line for line in written if not line["action"].startswith("token.")]
    assert {(line["address"], line["corpus"]) for line in asked} == {("127.0.0.1", "default")}
    assert len({line["request_id"] for line in asked}) == len(asked)
    (digest,) = {line["object"]["filter"] for line in written if "filter" in line.get("object", {})}
    filtered = {"filter": digest, "build": build}
    file = {"path": CORPUS, "sha256": done.sha256}
    merge = {"kind": "merge", "force": True, "job": done.job}
    told = [(each["action"], each.get("token"), each.get("status")) for each in written]
    assert told == [
        ("token.new", None, None),
        ("records.read", "ada", 200),
        ("records.read", "ada", 200),
        ("records.read", "ada", 200),
        ("record.read", "ada", 200),
        ("record.read", "ada", 404),
        ("artifact.download", "ada", 200),
        ("artifact.download", "ada", 206),
        ("artifact.download", "ada", 404),
        ("token.refused", None, 401),
        ("job.ask", "ada", 202),
        ("job.join", "ada", 202),
        ("job.cancel", "ada", 200),
        ("job.retry", "ada", 202),
        ("session.begin", None, 422),
        ("session.begin", "ada", 303),
        ("record.read", "ada", 200),
        ("records.read", "ada", 200),
        ("records.export", "ada", 200),
        ("session.end", "ada", 303),
        ("token.new", None, None),
        ("record.read", "eve", 403),
        ("token.revoke", None, None),
    ]
    about = [each.get("object", {}) for each in written]
    assert done.found
    assert _numbers(about[1]["rows"]) == done.found
    assert about[1] == {"rows": about[1]["rows"], **filtered}
    assert _numbers(about[2]["rows"]) == done.again
    assert about[3] == {"rows": "4-5", "build": build}
    assert about[4] == about[16] == {"rows": "7", "build": build}
    assert about[5] == {}
    assert about[6] == {**file, "bytes": size}
    assert about[7] == {**file, "bytes": 10, "start": 10}
    assert about[10] == {**merge, "outcome": "created"}
    assert about[11] == {**merge, "label": "weekly", "outcome": "joined"}
    assert about[12] == {"job": done.job}
    assert about[13] == {
        "retry_of": done.job,
        "kind": "merge",
        "job": done.retried,
        "outcome": "created",
    }
    assert about[17]["filter"] == digest
    assert about[18] == filtered
    assert about[22] == {"token": "ada"}

    content = (log / "audit.jsonl").read_text()
    for words in done.secrets:
        assert words not in content
    assert stat.S_IMODE((log / "audit.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE(log.stat().st_mode) == 0o700

    assert [json.loads(line) for line in web(quiet, "audit", "--json")] == written
    reads = web(quiet, "audit", "--since", "1h", "--token", "ada", "--action", "record")
    assert [line.split("\t")[1:4] for line in reads] == [
        ["record.read", "200", "ada"],
        ["record.read", "404", "ada"],
        ["record.read", "200", "ada"],
    ]
    assert web(quiet, "audit", "--since", "2999-01-01") == []


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        found += range(int(low), int(high or low) + 1)
    return found


def test_what_cannot_be_written_down_is_not_shown(
    quiet: Service, asking: httpx2.Client, corpus: Path, log: Path
) -> None:
    assert corpus.exists()
    log.mkdir(exist_ok=True)
    # A folder in its place: nobody can write there, root neither.
    (log / "audit.jsonl").mkdir()
    try:
        for path in ("/records", "/records/7", f"/artifacts/{CORPUS}"):
            answer = asking.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "audit-unavailable")
            assert answer.headers["Retry-After"]
            assert str(quiet.folder) not in answer.text
        assert asking.post("/merge", json={"sample": True, "force": True}).status_code == 503
        assert asking.get("/jobs").json()["jobs"] == []
        checks = {
            check["check"]: check["ok"]
            for check in httpx2.get(f"{quiet.url}/readyz", timeout=30).json()["checks"]
        }
        assert checks["audit"] is False
    finally:
        (log / "audit.jsonl").rmdir()
    assert asking.get("/records/7").status_code == 200
    assert [line["action"] for line in lines(log)] == ["record.read"]


WRITER = """
import sys
from pathlib import Path
from web.access import audit_log
audit_log._LARGE = 20_000
log = audit_log.AuditLog(Path(sys.argv[1]), 365)
for number in range(400):
    log.append("record.read", {"token": sys.argv[2], "object": {"rows": str(number)}})
"""


def test_processes_write_beside_each_other_and_files_are_put_away_whole(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, folder, f"w{number}"], cwd=ROOT)
        for number in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    entries = list(AuditLog(folder, 365).read())
    assert None not in entries
    for number in range(4):
        mine = [e["object"]["rows"] for e in entries if e and e["token"] == f"w{number}"]
        assert mine == [str(at) for at in range(400)]
    files = sorted(folder.iterdir())
    assert len(files) > 4
    assert all(20_000 <= file.stat().st_size < 20_500 for file in files[:-1])
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_day_has_files_of_its_own_and_old_ones_go(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, days=30)
    now = time.time()
    log.append("a", {})
    os.utime(tmp_path / "audit.jsonl", (now - 40 * 86400,) * 2)
    log.append("b", {})
    os.utime(tmp_path / "audit.jsonl", (now - 86400,) * 2)
    log.append("c", {})
    names = [path.name for path in sorted(tmp_path.iterdir())]
    yesterday = time.strftime("%Y%m%d", time.gmtime(now - 86400))
    assert names == [f"audit-{yesterday}.0000.jsonl", "audit.jsonl"]
    assert [entry["action"] for entry in log.read() if entry] == ["b", "c"]


def test_a_line_that_was_cut_off_spoils_no_other(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, days=30)
    log.append("a", {})
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(b'{"time": "2026-')
    threads = [threading.Thread(target=log.append, args=("b", {})) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [entry and entry["action"] for entry in log.read()]
    assert found == ["a", None, "b", "b", "b", "b"]
