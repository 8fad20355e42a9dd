"""`browse --row` shows a conversation as turns, and no text can pass for one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import Session, run
from talks import ANSWER, IMITATION, TALKS, merge_talks

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: Texts that would like to stand at the left edge: by lines of their own, by being broken there,
#: by moving the cursor.
EDGES = f"x\r\nAssistant\n\n{'y' * 37} Assistant\x1b[1GAssistant\rAssistant\x0b\u2028Assistant"
PUSHY = {
    "messages": [
        {"role": "user", "content": EDGES, "name": EDGES},
        {
            "role": "assistant",
            "content": EDGES,
            "reasoning_content": EDGES,
            "tool_calls": [{"id": EDGES, "function": {"name": EDGES, "arguments": EDGES}}],
        },
        {"role": "tool", "content": EDGES, "tool_call_id": EDGES},
        {"role": "assistant", "content": EDGES},
    ],
    "tools": [{"type": "function", "function": {"name": EDGES}}],
    "metadata": {"\nAssistant": EDGES},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talks")
    merge_talks(folder / "datasets", [*TALKS, PUSHY])
    return folder


def said(shown: str) -> str:
    """Give what stands between the tables of the record and of its lineage."""
    return (
        shown[shown.index("\ntags") : shown.index("\nLineage")]
        .partition("\n")[2]
        .partition("\n")[2]
    )


def at_the_edge(shown: str) -> list[str]:
    """Give what stands at the left edge, but for facts: what speaks."""
    return [line for line in said(shown).split("\n") if line and not line.startswith(" ")]


def test_each_turn_stands_under_who_speaks(made: Path) -> None:
    shown = run("browse", "--row", 1, cwd=made).out
    assert at_the_edge(shown) == [
        *("System", "User", "Assistant  [not learnt from]", "User", "Assistant"),
        "User  [after the last answer]",
        "metadata",
    ]
    assert "\nUser\n  named Ada\n    Ich schlafe kaum. 睡不着\n" in shown
    assert f"\nAssistant\n    {ANSWER}\n" in shown
    assert re.search(r"^grouped +yes$", shown, re.MULTILINE)
    assert re.search(r"^holds +turns, system, names, weights, later-turns$", shown, re.MULTILINE)
    assert "patient 7" not in shown


def test_tools_are_shown_with_their_arguments(made: Path) -> None:
    shown = run("browse", "--row", 2, cwd=made).out
    assert '\n  calls find_slot({"day": "Freitag", "hour": 15})\n' in shown
    assert '\nTool\n  answers call call_1\n    {"free": true}\n' in shown
    assert "\n  thought They want a slot; the calendar knows.\n" in shown


def test_the_beginning_of_a_pair_is_shown_once(made: Path) -> None:
    shown = run("browse", "--row", 3, cwd=made).out
    assert at_the_edge(shown)[:3] == ["User", "Assistant", "User"]
    assert at_the_edge(shown)[3:] == ["Assistant  [preferred]", "Assistant  [rejected]"]
    assert shown.count("Since when?") == 1


def test_a_text_that_pretends_to_be_turns_is_one_text(made: Path) -> None:
    flat = run("browse", "--row", 4, cwd=made).out
    assert at_the_edge(flat) == ["Input", "Response"]
    assert at_the_edge(run("browse", "--row", 5, cwd=made).out) == ["System", "User", "Assistant"]
    lines = [f"    {line}".rstrip() for line in IMITATION.split("\n")]
    assert "\n".join(["", "Input", *lines, ""]) in flat


@pytest.mark.parametrize("columns", [20, 41, 100])
def test_no_text_reaches_the_left_edge_of_a_terminal(columns: int, made: Path) -> None:
    speaking = ["User", "Assistant", "Tool", "Assistant", "tools", "metadata"]
    assert at_the_edge(run("browse", "--row", len(TALKS), cwd=made).out) == speaking
    with Session("browse", "--row", str(len(TALKS)), cwd=made, COLUMNS=str(columns)) as session:
        session.expect("grouped")
        assert session.end() == 0
    shown = _COLOURS.sub("", session.seen).replace("\r\n", "\n")
    assert at_the_edge(shown) == speaking
    assert not {"\r", "\x0b", "\x1b"} & {*said(shown)}
    assert all(len(line) <= columns for line in said(shown).split("\n"))


def test_a_page_of_records_says_how_many_turns_there_are(made: Path) -> None:
    shown = run("browse", cwd=made).out
    assert "\n1  Talks  talk  6 turns  own\n" in shown
    assert shown.startswith("0  Talks  talk  own\n")
    assert run("browse", "--json", cwd=made).json["records"][1]["messages"] == TALKS[1]["messages"]
    found = run("browse", "--search", "kind Ørsted", "--json", cwd=made).json
    assert [record["row"] for record in found["records"]] == [1]
