"""Sources of chats for tests: any conversation, a corpus of them, and what an export should hold.

What should be in an export is said here anew, in plain words over the source's own messages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from corpora import merge_own, own_source
from hypothesis import strategies as st

from mindcorpus.merging.merge import MergeResult

Message = dict[str, Any]
Row = dict[str, Any]

#: What people write: any script, but for what no record may hold.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SAID = st.one_of(
    TEXTS.map(lambda text: f"{text}·"), st.sampled_from(["¿Qué tal?", "“好” 😀", "\n é"])
)
_NAMES = st.sampled_from(["Mia", "client_2"])
_ARGUMENTS = st.dictionaries(SAID, st.one_of(SAID, st.integers(-9, 9), st.none()), max_size=2)
_TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def chat_source(folder: Path, name: str, rows: Sequence[Row], **entry: Any) -> str:
    """Write rows with `messages` as JSON lines, with a catalogue file; give that file's path."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / f"{name}.jsonl").write_text(lines, "utf-8", newline="\n")
    options = {"options": 'messages = "messages"\n', "input": "", "response": "", **entry}
    path = Path(own_source(folder, name, f"{name}.jsonl", **options))
    text = path.read_text("utf-8")
    path.write_text(text.replace('path = "."\n', 'path = "."\nadapter = "messages"\n', 1), "utf-8")
    return str(path)


def merge_chats(data_dir: Path, rows: Sequence[Row], workers: int = 1) -> MergeResult:
    """Merge chats into a corpus."""
    return merge_own(data_dir, chat_source(data_dir / "own", "chats", rows), workers=workers)


def chat(*turns: Any, **beside: Any) -> Row:
    """Give a row of turns: (role, text) each, or a message."""
    messages = [
        turn if isinstance(turn, dict) else {"role": turn[0], "content": turn[1]} for turn in turns
    ]
    return {"messages": messages, **beside}


@st.composite
def _turns(draw: st.DrawFn) -> list[Message]:
    """Draw some turns that belong together: one, or a call with the answers to it."""
    role = draw(st.sampled_from(["user", "assistant", "assistant", "system", "developer", "call"]))
    if role != "call":
        message: Message = {"role": role, "content": draw(st.one_of(SAID, SAID, st.just("")))}
        if draw(st.integers(0, 9)) == 0:
            message["name"] = draw(_NAMES)
        if draw(st.integers(0, 4)) == 0:
            message["weight"] = draw(st.integers(0, 1))
        if role == "assistant" and draw(st.booleans()):
            message["reasoning_content"] = draw(SAID)
        return [message]
    ids = draw(st.lists(st.uuids().map(str), min_size=1, max_size=2, unique=True))
    calls = [
        {
            "id": id_,
            "type": "function",
            "function": {"name": "find", "arguments": json.dumps(draw(_ARGUMENTS))},
        }
        for id_ in ids
    ]
    said = draw(st.one_of(st.none(), SAID))
    answers = [{"role": "tool", "content": draw(SAID), "tool_call_id": id_} for id_ in ids]
    if draw(st.booleans()):
        answers[0]["name"] = "find"
    return [{"role": "assistant", "content": said, "tool_calls": calls}, *answers]


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Draw rows of chats, no two of them alike, each with an answer to learn from."""
    found: list[Row] = []
    for number in range(draw(st.integers(1, 6))):
        first = [{"role": "user", "content": f"{number} {draw(SAID)}"}]
        before, between, behind = (
            [turn for turns in draw(st.lists(_turns(), max_size=size)) for turn in turns]
            for size in (1, 4, 2)
        )
        last = [{"role": "assistant", "content": draw(SAID)}]
        row: Row = {"messages": [*before, *first, *between, *last, *behind]}
        if draw(st.booleans()):
            row |= {"tools": [_TOOL], "parallel_tool_calls": draw(st.booleans())}
        found.append(row)
    return found


def is_answer(message: Message) -> bool:
    """Tell whether a message is an answer to learn from."""
    said = bool((message["content"] or "").strip()) or "tool_calls" in message
    return message["role"] == "assistant" and message.get("weight") != 0 and said


def exported(row: Row) -> list[Message]:
    """Give the messages that a chat holds: up to the last answer, without empty ones."""
    messages = row["messages"]
    last = max(at for at, message in enumerate(messages) if is_answer(message))
    return [
        message
        for message in messages[: last + 1]
        if message["content"] or "tool_calls" in message or message["role"] == "tool"
    ]


def lines(path: Path) -> list[Any]:
    """Read JSON lines; only a line feed ends one."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]
