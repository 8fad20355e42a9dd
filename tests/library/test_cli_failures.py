"""How the command line fails: a line or two, the documented code, no record text, nothing left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import MAIN, PATIENCE, environment, run


@pytest.fixture
def silent_hub() -> Iterator[socket.socket]:
    """A hub that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def test_a_source_that_cannot_be_fetched_ends_with_4(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    ran = run(
        "merge", "--source", "TRACE", cwd=tmp_path, HF_ENDPOINT=address, MINDCORPUS_FETCH_TRIES="1"
    )
    assert ran.code == 4
    assert "TRACE" in ran.err
    assert "--allow-missing" in ran.err


def test_each_of_several_failures_is_told_and_once_what_helps_them_all(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    given = ("--source", "TRACE", "--source", "Psych-101", "--path", "TRACE=nowhere.jsonl")
    ran = run("merge", *given, cwd=tmp_path, HF_ENDPOINT=address, MINDCORPUS_FETCH_TRIES="1")
    assert ran.code == 4
    printed = [line for line in ran.err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert [line.partition(":")[0] for line in printed] == ["error", "hint"] * 2 + ["hint"]
    assert "Psych-101" in printed[0]
    assert "TRACE" in printed[2]
    assert ran.err.count("--allow-missing") == 1


def test_a_broken_file_ends_with_5_and_none_of_its_text(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"messages": [{"role": "user", "content": "secret"\n')
    ran = run("merge", "--source", "TRACE", "--path", "TRACE=broken.jsonl", cwd=tmp_path)
    assert ran.code == 5
    assert "secret" not in ran.out + ran.err


def test_a_bug_is_told_in_two_lines_without_what_it_says(tmp_path: Path) -> None:
    script = (
        "import click\nfrom mindcorpus.cli.main import run\n"
        "def fail(): raise ValueError('secret')\n"
        "run(click.Command('x', callback=fail), 'x')"
    )
    start = (sys.executable, "-c", script)
    ran = run(cwd=tmp_path, start=start)
    assert ran.code == 1
    assert ran.err.startswith("error: unexpected ValueError: this is a bug")
    assert len(ran.err.splitlines()) == 2
    assert "secret" not in ran.err
    assert "Traceback" in run(cwd=tmp_path, start=start, MINDCORPUS_DEBUG="1").err


def test_a_reader_that_leaves_and_a_full_disk_make_no_traceback(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for output, code in ((writing, 1), (os.open("/dev/full", os.O_WRONLY), 6)):
        done = subprocess.run(
            [*MAIN, "sources"],
            cwd=tmp_path,
            env=environment(),
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(output)
        assert done.returncode == code
        assert b"Traceback" not in done.stderr


def test_what_data_holds_is_shown_not_obeyed(tmp_path: Path) -> None:
    evil = "\x1b[31m\x9b2J\u202edrow \r\nplain"
    (tmp_path / "evil.jsonl").write_text(
        json.dumps({"q": evil, "a": evil, "t": "\x1b]0;x\x07"}) + "\n"
    )
    (tmp_path / "evil.toml").write_text(
        '[[source]]\nname = "Evil"\npath = "evil.jsonl"\ntype = "test"\n'
        'files = [{path = "evil.jsonl"}]\n'
        'licence = {id = "MIT", terms = "MIT.", commercial = "yes"}\n'
        'options = {input = "q", response = "a", tag_columns = [{column = "t"}]}\n'
    )
    said = run("merge", "--catalog", "evil.toml", "--source", "Evil", cwd=tmp_path)
    assert said.code == 0, said.err
    for arguments in ([], ["--row", "0"]):
        said = run("browse", *arguments, cwd=tmp_path)
        assert "plain" in said.out
        assert not {"\x1b", "\x9b", "\u202e", "\r", "\x07"} & set(said.out + said.err)
    assert run("browse", "--json", cwd=tmp_path).json["records"][0]["input"].startswith("\x1b[31m")


def test_a_merge_that_is_stopped_leaves_nothing(silent_hub: socket.socket, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*MAIN, "merge", "--source", "TRACE"],
        cwd=tmp_path,
        env=environment(HF_ENDPOINT=f"http://127.0.0.1:{silent_hub.getsockname()[1]}"),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with silent_hub.accept()[0]:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, b"")
    assert b"nothing was published" in err
    assert list((tmp_path / "datasets/staging").iterdir()) == []
    assert list((tmp_path / "datasets/artifacts").iterdir()) == []
