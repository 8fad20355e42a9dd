"""Chats in, chats out: every turn of any conversation comes back, and what does not is counted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from chats import Message, Row, chat, exported, is_answer, lines, merge_chats, rows
from hypothesis import given
from hypothesis import settings as runs

from mindcorpus.errors import SettingsError
from mindcorpus.formats.chat_rules import check_chat_file
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing import runs as preparing_runs
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import SYSTEM_PROMPT, Settings
from mindcorpus.verify import verify

FORMATS = ("openai", "huggingface", "sharegpt")
INSTRUCTING = ("system", "developer")
CONFIGURED = {"role": "system", "content": SYSTEM_PROMPT}
_KEYS = {
    "assistant": ("role", "content", "name", "weight", "tool_calls"),
    "tool": ("role", "content", "name", "tool_call_id"),
}


def make(data_dir: Path, workers: int = 1, **request: Any) -> dict[str, PrepareResult]:
    asked = PrepareRequest(**{"formats": FORMATS, "force": True, **request})
    return prepare(asked, Settings(data_dir=data_dir, workers=workers))


def in_openai(row: Row) -> dict[str, Any]:
    """Say how a row should stand in the OpenAI file."""
    messages = [
        {key: message[key] for key in _KEYS.get(message["role"], _KEYS["tool"]) if key in message}
        for message in exported(row)
    ]
    if not any(message["role"] in INSTRUCTING for message in messages):
        messages = [CONFIGURED, *messages]
    return {**row, "messages": messages}


def in_sharegpt(row: Row) -> dict[str, Any]:
    """Say how a row should stand in the ShareGPT files."""
    turns = []
    names = {"user": "human", "assistant": "gpt", "tool": "observation"}
    for message in exported(row):
        if message["content"] or "tool_calls" not in message:
            from_ = names.get(message["role"], "system")
            turns.append({"from": from_, "value": message["content"] or ""})
        if "tool_calls" in message:
            turns.append({"from": "function_call", "value": calls(message)})
    tools = {"tools": row["tools"]} if "tools" in row else {}
    return {"conversations": turns, **tools}


def calls(message: Message) -> Any:
    found = [
        {
            "name": call["function"]["name"],
            "arguments": json.loads(call["function"]["arguments"]),
        }
        for call in message["tool_calls"]
    ]
    return found if len(found) > 1 else found[0]


def read_sharegpt(made: PrepareResult) -> list[dict[str, Any]]:
    """Read both files, calls and tools as what their JSON text says."""
    found = [row for name in ("train", "validation") for row in lines(made.path / f"{name}.jsonl")]
    for row in found:
        row |= {"tools": json.loads(row["tools"])} if "tools" in row else {}
        for turn in row["conversations"]:
            assert list(turn) == ["from", "value"]
            if turn["from"] == "function_call":
                turn["value"] = json.loads(turn["value"])
    return found


def losses(row: Row) -> set[str]:
    """Name what a chat of a row cannot hold in any format."""
    kept, all_ = exported(row), row["messages"]
    last = max(at for at, message in enumerate(all_) if is_answer(message))
    return {
        word
        for word, lost in {
            "later-turns-left-out": last + 1 < len(all_),
            "empty-turns-left-out": len(kept) < last + 1,
            "reasoning-left-out": any("reasoning_content" in message for message in kept),
            "misplaced-keys-left-out": any(
                "weight" in message and message["role"] != "assistant" for message in kept
            ),
        }.items()
        if lost
    }


def losses_in_sharegpt(row: Row) -> set[str]:
    kept = exported(row)
    calling = [message for message in kept if "tool_calls" in message]
    return losses(row) | {
        word
        for word, lost in {
            "developer-as-system": any(message["role"] == "developer" for message in kept),
            "call-ids-left-out": bool(calling),
            "calls-as-turn-of-their-own": any(message["content"] for message in calling),
            "tool-names-left-out": any(
                "name" in message and message["role"] == "tool" for message in kept
            ),
            "parallel-tool-calls-left-out": "parallel_tool_calls" in row,
        }.items()
        if lost
    }


def is_plain(row: Row) -> bool:
    """Tell whether a row's two texts say all of it."""
    bare = [set(message) == {"role", "content"} for message in row["messages"]]
    return all(bare) and len(bare) == 2 and set(row) == {"messages"}


def why_not_in_sharegpt(row: Row) -> str:
    kept = exported(row)
    if any(message.get("weight") == 0 and message["role"] == "assistant" for message in kept):
        return "cannot-carry-weights"
    named = any("name" in message and message["role"] != "tool" for message in kept)
    return "cannot-carry-names" if named else ""


def ordered(found: list[Any]) -> list[str]:
    return sorted(json.dumps(each, sort_keys=True) for each in found)


@runs(max_examples=40, deadline=None)
@given(found=rows())
def test_any_conversation_comes_back_from_each_chat_export(
    found: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("chats")
    merge_chats(folder, found)
    carried = [row for row in found if not why_not_in_sharegpt(row)]
    names = FORMATS if carried else FORMATS[:2]
    made = make(folder, formats=names)

    openai = made["openai"]
    assert lines(openai.path) == [in_openai(row) for row in found]
    report = check_chat_file(openai.path)
    assert {code for code in report.counts if code != "too-few-examples"} <= {
        finding.code for finding in report.findings if finding.severity == "warning"
    }
    assert openai.findings == report.findings
    assert openai.skipped == {}
    assert openai.changed == Counter(loss for row in found for loss in losses(row))
    assert openai.rows == made["huggingface"].rows == len(found)
    flat = sum(not is_plain(row) for row in found)
    assert made["huggingface"].changed.get("conversation-made-flat", 0) == flat

    if carried:
        sharegpt = made["sharegpt"]
        assert ordered(read_sharegpt(sharegpt)) == ordered([in_sharegpt(row) for row in carried])
        assert sharegpt.skipped == Counter(filter(None, map(why_not_in_sharegpt, found)))
        assert sharegpt.changed == Counter(x for row in carried for x in losses_in_sharegpt(row))
    assert verify(folder) == []
