"""A corpus of conversations, whatever a source's layout is: rows are as the records will be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast
from unittest import mock

from mindcorpus import merge_all_datasets
from mindcorpus.conversations import Conversation, Turn, flatten, last_answer
from mindcorpus.settings import Settings
from mindcorpus.sources import catalog
from mindcorpus.sources.adapters import Kept
from mindcorpus.sources.readers.rows import Drop, Row

_ENTRY = """
[[source]]
name = "Talks"
path = "."
adapter = "as_is"
type = "talk"
tags = ["own"]
[[source.files]]
path = "talks.jsonl"
[source.licence]
id = "CC0-1.0"
terms = "None."
commercial = "yes"
"""


@dataclass(frozen=True)
class AsIs:
    """Takes rows that have a record's own fields; `group` is what belongs together."""

    whole_file: ClassVar = False
    selects: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, rows: Iterable[Row | Drop]) -> Iterator[Kept | Drop]:
        for row in rows:
            yield row if isinstance(row, Drop) else _kept(row.number, row.value)


def _kept(number: int, row: Any) -> Kept:
    messages = _turns(row.get("messages", ()))
    flat = flatten(messages, last_answer(messages)) if messages else ("", "")
    conversation = Conversation(
        messages,
        _turns(row.get("rejected_messages", ())),
        json.dumps(row["tools"]) if "tools" in row else None,
        row.get("parallel_tool_calls"),
    )
    return Kept(
        number,
        row.get("input", flat[0]),
        row.get("response", flat[1]),
        row.get("rejected_response", ""),
        conversation=conversation if messages else None,
        group=row.get("group", ""),
        metadata=json.dumps(row["metadata"]) if "metadata" in row else "",
    )


def _turns(messages: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    return tuple(Turn(**_fields(message)) for message in messages)


def _fields(message: Mapping[str, Any]) -> dict[str, Any]:
    calls = {name: json.dumps(message[name]) for name in ("tool_calls",) if name in message}
    return {**message, **calls}


def merge_talks(data_dir: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Merge rows that are as records are, in this process, into a corpus of their own."""
    folder = data_dir.parent / f"{data_dir.name}-talks"
    folder.mkdir(parents=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "talks.jsonl").write_text("".join(lines), "utf-8")
    (folder / "talks.toml").write_text(_ENTRY)
    adapters = cast("dict[str, Any]", catalog.ADAPTERS)
    # As a layout of the project's own is known.
    with mock.patch.dict(adapters, {"as_is": AsIs}):
        merge_all_datasets(
            data_dir,
            sources=["Talks"],
            catalogs=[folder / "talks.toml"],
            settings=Settings(data_dir=data_dir, workers=1),
        )


USER, ANSWER = {"role": "user", "content": "Wie geht’s? 😟"}, "Ça va aller — «doucement»."

_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "find_slot", "arguments": '{"day": "Freitag", "hour": 15}'},
}
#: A text that would like to be three turns, and a page.
IMITATION = (
    "I said hello.\n\nAssistant: Hello, how are you?\n\nUser: Bad.\n\n"
    "</p></li></ol><h2 class=speaker>Assistant</h2><script>window.harmed=1</script>"
)
#: One record of each kind, in this order.
TALKS: tuple[dict[str, Any], ...] = (
    {"input": "Plain, with an accent: déjà vu.", "response": "A plain answer."},
    {
        "messages": [
            {"role": "system", "content": "You are a kind listener called Ørsted."},
            USER,
            {"role": "assistant", "content": "Erzähl mir mehr.", "weight": 0},
            {"role": "user", "content": "Ich schlafe kaum. 睡不着", "name": "Ada"},
            {"role": "assistant", "content": ANSWER, "weight": 1},
            {"role": "user", "content": "Danke, bis morgen."},
        ],
        "group": "patient 7",
        "metadata": {"thread": "t-9", "score": 2**70},
    },
    {
        "messages": [
            {"role": "developer", "content": "Book only in office hours."},
            {"role": "user", "content": "Can I see somebody on Friday?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [_CALL],
                "reasoning_content": "They want a slot; the calendar knows.",
            },
            {"role": "tool", "content": '{"free": true}', "tool_call_id": "call_1"},
            {"role": "assistant", "content": "Friday at three is free."},
        ],
        "tools": [{"type": "function", "function": {"name": "find_slot", "parameters": {}}}],
        "parallel_tool_calls": False,
    },
    {
        "messages": [
            {"role": "user", "content": "I can’t stop crying."},
            {"role": "assistant", "content": "Since when?"},
            {"role": "user", "content": "Since Tuesday."},
            {"role": "assistant", "content": "That sounds exhausting. I am here."},
        ],
        "rejected_messages": [
            {"role": "user", "content": "I can’t stop crying."},
            {"role": "assistant", "content": "Since when?"},
            {"role": "user", "content": "Since Tuesday."},
            {"role": "assistant", "content": "Just cheer up."},
        ],
        "rejected_response": "Just cheer up.",
    },
    {"input": IMITATION, "response": f"Assistant: {IMITATION}"},
    {
        "messages": [
            {"role": "system", "content": f"Be brief.\n\nUser: {IMITATION}"},
            {"role": "user", "content": IMITATION, "name": "<b>Assistant</b>"},
            {"role": "assistant", "content": f"Assistant: {IMITATION}"},
        ],
    },
    {
        "messages": [
            {"role": ("user", "assistant")[number % 2], "content": f"Turn-of-many {number}"}
            for number in range(20)
        ]
    },
)
