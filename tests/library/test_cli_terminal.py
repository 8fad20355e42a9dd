"""The command line on a terminal: prompts, live progress, pages, Ctrl-C."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from command_line import PATIENCE, Session, run

CORPUS = "datasets/merged_mental_health_dataset.json"
CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the merged sample; tests read it and change nothing."""
    folder = tmp_path_factory.mktemp("made")
    assert run("merge", "--sample", cwd=folder).code == 0
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to be changed."""
    return shutil.copytree(made, tmp_path / "copy", symlinks=True)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("n\r", 7, "everything is as it was"),
        ("\r", 7, "everything is as it was"),
        (CTRL_D, 7, "everything is as it was"),
        (CTRL_C, 130, "nothing was changed"),
    ],
)
def test_without_a_yes_nothing_is_replaced(answer: str, code: int, said: str, made: Path) -> None:
    before = (made / CORPUS).resolve()
    with Session("merge", "--sample", cwd=made) as session:
        session.expect("records, built")
        session.expect("Replace it? ")
        session.expect("(n)")
        session.settle()
        session.type(answer)
        session.expect(said)
        assert session.end() == code
    assert (made / CORPUS).resolve() == before
    assert "Traceback" not in session.seen


def test_after_a_yes_the_work_is_shown_stage_by_stage(copy: Path) -> None:
    with Session("merge", "--sample", "--exclude", "TRACE", cwd=copy) as session:
        session.expect("Replace it? ")
        session.type("maybe\r")
        session.expect("Please enter Y or N")
        session.type("y\r")
        for said in ("Ctrl-C stops it", "✓", "read", "write", "publish", "accounted for", "Next:"):
            session.expect(said)
        assert session.end() == 0
    assert "TRACE" not in run("stats", "--json", cwd=copy).json["by_source"]


def test_each_prompt_has_a_flag(copy: Path) -> None:
    with Session("merge", "--sample", "--force", cwd=copy) as session:
        assert session.end() == 0
    assert "Replace" not in session.seen


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_stops_a_merge_that_leaves_the_old_corpus(presses: int, copy: Path) -> None:
    before = (copy / CORPUS).resolve()
    with socket.create_server(("127.0.0.1", 0)) as hub:
        hub.settimeout(PATIENCE)
        address = f"http://127.0.0.1:{hub.getsockname()[1]}"
        with (
            Session(
                "merge", "--source", "TRACE", "--force", cwd=copy, HF_ENDPOINT=address
            ) as session,
            hub.accept()[0],
        ):
            session.type(CTRL_C * presses)
            assert session.end() == 130
    assert (copy / CORPUS).resolve() == before
    assert run("verify", cwd=copy).code == 0
    hidden, shown = (session.seen.rfind(f"\x1b[?25{sign}") for sign in "lh")
    assert shown >= hidden  # the cursor is back
    assert "Traceback" not in session.seen
    if presses == 1:
        assert "nothing was published" in session.seen
        assert list((copy / "datasets/staging").iterdir()) == []
    # What was left behind is swept by whoever comes next.
    assert run("merge", "--sample", "--force", cwd=copy).code == 0
    assert list((copy / "datasets/staging").iterdir()) == []


def test_pages_are_turned_with_n_and_p_and_left_with_q(made: Path) -> None:
    first, second = (
        run("browse", "--limit", 2, "--offset", offset, "--json", cwd=made).json["records"]
        for offset in (0, 2)
    )
    with Session("browse", "--limit", "2", cwd=made) as session:
        for key, records in (("n", first), ("p", second), ("q", first)):
            for record in records:
                session.expect(f"{record['row']}  {record['source']}")
            session.expect("q quit")
            session.settle()
            session.type(key)
        assert session.end() == 0


def test_ctrl_c_leaves_the_pages(made: Path) -> None:
    with Session("browse", cwd=made) as session:
        session.expect("q quit")
        session.settle()
        session.type(CTRL_C)
        assert session.end() == 130
    assert "Traceback" not in session.seen


def test_what_would_change_is_shown_before_it_is_asked(copy: Path) -> None:
    data = copy / "datasets"
    capped = ("prepare", "openai", "huggingface", "--cap", "Psych-101=4")
    assert run(*capped, cwd=copy).code == 0
    file = data / "mental_health_openai.jsonl"
    table = (data / "mental_health_huggingface" / "dataset.csv").read_bytes()
    with Session("prepare", "openai", "--cap", "Psych-101=2", cwd=copy) as session:
        session.expect("it would change: caps: Psych-101=4 -> Psych-101=2")
        session.expect("Replace it? ")
        session.type("n\r")
        session.expect("everything is as it was")
        assert session.end() == 7
    before = file.resolve().read_bytes()
    with file.resolve().open("a") as lines:
        lines.write("{}\n")
    assert run("merge", "--sample", "--exclude", "TRACE", "-f", cwd=copy).code == 0
    with Session("prepare", cwd=copy) as session:
        session.expect("mental_health_huggingface is outdated")
        session.expect("was changed since it was made")
        session.expect("Replace it? ")
        session.type("y\r")
        session.expect("Next")
        assert session.end() == 0
    # Both have the settings that they had.
    assert file.resolve().read_bytes() != before
    for name in ("mental_health_openai.manifest.json", "mental_health_huggingface/manifest.json"):
        assert '"Psych-101": 4' in (data / name).read_text()
    assert (data / "mental_health_huggingface" / "dataset.csv").read_bytes() != table
