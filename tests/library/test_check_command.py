"""`mindcorpus check --all`: every finding as it is found, as lines or as JSON."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import MAIN, run


@pytest.mark.parametrize("packed", [False, True])
def test_check_all_prints_every_finding_at_its_place(tmp_path: Path, *, packed: bool) -> None:
    row = b'{"messages": [{"role": "user", "content": "\xc3\xa9"}, {"role": "bot"}]}\n'
    path = tmp_path / ("chat.jsonl.gz" if packed else "chat.jsonl")
    path.write_bytes(gzip.compress(row * 1_100) if packed else row * 1_100)
    ran = run("check", path, "--all", cwd=tmp_path)
    lines = ran.out.splitlines()
    told = [line for line in lines if ": error: role-unknown: messages[1].role is " in line]
    assert [line.split(":")[0] for line in told] == [f"line {at}" for at in range(1, 1_101)]
    assert ("file: warning: compressed: " in lines[0]) == packed
    assert (ran.code, lines[-1].endswith("would be refused")) == (1, True)
    some, every = (
        run("check", path, *more, "--json", cwd=tmp_path).json for more in ([], ["--all"])
    )
    found = every.pop("findings")
    assert [each["line"] for each in found if each["code"] == "role-unknown"] == [*range(1, 1_101)]
    assert all(each in found for each in some.pop("findings"))
    assert every == some


def test_check_tells_the_places_of_an_array_by_examples(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text(json.dumps([{"messages": []}, {"messages": 1}], indent=2))
    ran = run("check", path, cwd=tmp_path)
    assert "example 2" in ran.out
    assert "line " not in ran.out
    assert "example 2: error: messages-not-a-list" in run("check", path, "--all", cwd=tmp_path).out


def test_check_all_of_a_good_file_is_json_as_well(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    ask, tell = {"role": "user", "content": "é"}, {"role": "assistant", "content": "🙂"}
    rows = [{"messages": [{"role": "system", "content": f"{at}"}, ask, tell]} for at in range(10)]
    path.write_text("\n".join(map(json.dumps, rows)))
    ran = run("check", path, "--all", "--json", cwd=tmp_path)
    assert (ran.code, ran.json["findings"], ran.json["ok"]) == (0, [], True)
    path.write_text("")
    assert len(run("check", path, "--all", "--json", cwd=tmp_path).json["findings"]) == 1


def test_what_is_left_of_a_list_is_nobodys_when_its_reader_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_bytes(b'{"messages": []}\n' * 50_000)
    with subprocess.Popen(
        [*MAIN, "check", "--all", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"line 1: error: messages-empty")
        process.stdout.close()
        assert b"cannot be read" not in process.stderr.read()
    assert process.returncode == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads its own peak of memory")
def test_a_list_of_any_length_is_not_held(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.jsonl"
        # Each line has a hundred findings, and none is like another.
        messages = ",".join(["1"] * 100)
        with path.open("w") as file:
            file.writelines(f'{{"messages": [{messages}], "n": {at}}}\n' for at in range(rows))
        code = (
            "import pathlib, resource, sys;"
            "from mindcorpus.cli.check import check_file;"
            "check_file(pathlib.Path(sys.argv[1]), every=True, as_json=True);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )
        return int(ran.stderr.split()[-1])

    assert peak(3_000) < peak(30) + 20_000  # kilobytes; 300,000 findings would take 100,000
