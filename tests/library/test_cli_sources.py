"""`mindcorpus sources inspect`: shown, as JSON, and written to a catalogue."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from command_line import run

ROWS = [
    {"question": "Pourquoi « ça » ?", "answer": "Écoute."},
    {"question": "\x1b[31mrouge", "answer": "Oui 🙂."},
    {"question": "?", "answer": ""},
]


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Three rows as JSON lines, beside a licence."""
    (tmp_path / "LICENSE").write_text("MIT License")
    file = tmp_path / "talks.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return file


def test_it_is_shown(talks: Path) -> None:
    out = run("sources", "inspect", "talks.jsonl", cwd=talks.parent).out
    for words in ("talks.jsonl", "jsonl", "question", "median", "Écoute.", "blank-response", "MIT"):
        assert words in out
    assert "2 of 3 are kept" in out
    assert "\x1b[31m" not in out
    assert '[[source]]\nname = "talks"' in out


def test_as_json_and_written_and_merged(talks: Path) -> None:
    options = ("--name", "Mine", "--type", "counseling", "--licence", "CC0-1.0")
    done = run(
        "sources", "inspect", "talks.jsonl", *options, "--write", "my.toml", "--json",
        cwd=talks.parent,
    )  # fmt: skip
    assert [record["row"] for record in done.json["preview"]["records"]] == [0, 1]
    assert done.json["licence"]["said_by"] == "you"
    assert done.json["preview"]["dropped"] == {"blank-response": 1}
    assert "merge --catalog my.toml --source Mine" in done.err
    run("merge", "--catalog", "my.toml", "--source", "Mine", cwd=talks.parent)
    merged = json.loads((talks.parent / "datasets/merged_mental_health_dataset.json").read_bytes())
    assert [(one["input"], one["type"]) for one in merged] == [
        (row["question"], "counseling") for row in ROWS[:2]
    ]


def test_an_entry_is_not_replaced_unasked(talks: Path) -> None:
    ask = ("sources", "inspect", "talks.jsonl", "--write", "my.toml")
    run(*ask, cwd=talks.parent)
    before = (talks.parent / "my.toml").read_bytes()
    refused = run(*ask, "--type", "other", cwd=talks.parent)
    assert refused.code == 7
    assert "has an entry talks" in refused.err
    assert (talks.parent / "my.toml").read_bytes() == before
    run(*ask, "--type", "other", "--force", cwd=talks.parent)
    assert b'"other"' in (talks.parent / "my.toml").read_bytes()


def test_no_layout_no_entry(talks: Path) -> None:
    talks.write_text('{"x": 1}\n')
    refused = run("sources", "inspect", "talks.jsonl", "--write", "my.toml", cwd=talks.parent)
    assert refused.code == 3
    assert "the layout is not known" in refused.err
    assert not (talks.parent / "my.toml").exists()


def test_sources_lists_what_was_added(talks: Path) -> None:
    folder = talks.parent / "datasets" / "sources"
    folder.mkdir(parents=True)
    run(
        "sources", "inspect", "talks.jsonl", "--write", str(folder / "talks.toml"), cwd=talks.parent
    )
    (folder / "wrong.toml").write_text("no")
    done = run("sources", "--json", cwd=talks.parent)
    assert done.json[-1]["name"] == "talks"
    assert "sources/wrong.toml" in done.err


def test_how_a_file_is_written_is_shown_and_merged(talks: Path) -> None:
    folder = talks.parent / "table"
    folder.mkdir()
    text = "question;answer\nSchläft er „gut“?;Nein – seit Mai…\nMüde?;Ja, früh müde.\n"
    (folder / "talks.csv.gz").write_bytes(gzip.compress(text.encode("cp1252")))
    (folder / "notes.txt").write_text("…")
    out = run("sources", "inspect", "table", cwd=talks.parent).out
    for words in (
        "csv in gzip",
        "Encoding: cp1252; guessed, at least 90% sure; cells parted by semicolons",
        "header: question | answer",
        "notes.txt",
        "its ending is none that is read",
        'encoding = "cp1252"',
        'delimiter = ";"',
    ):
        assert words in out
    run("sources", "inspect", "table", "--write", "my.toml", cwd=talks.parent)
    run("merge", "--catalog", "my.toml", "--source", "table", cwd=talks.parent)
    merged = json.loads((talks.parent / "datasets/merged_mental_health_dataset.json").read_bytes())
    assert [f"{one['input']};{one['response']}" for one in merged] == text.splitlines()[1:]
