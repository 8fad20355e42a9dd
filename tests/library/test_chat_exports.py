"""Chats in, chats out: every turn of any conversation comes back, and what does not is counted."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from chats import (
    Row,
    chat,
    chat_source,
    exported,
    is_answer,
    lines,
    merge_chats,
    rows,
)
from corpora import merge_own
from hypothesis import given
from hypothesis import settings as runs
from own_layouts import entry, merge_entries, write_rows

from mindcorpus.errors import SettingsError
from mindcorpus.formats.chat_file import check_chat_file
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
    names = {"user": "human", "assistant": "gpt"}
    return {
        "conversations": [
            {"from": names.get(message["role"], "system"), "value": message["content"] or ""}
            for message in exported(row)
        ]
    }


def read_sharegpt(made: PrepareResult) -> list[dict[str, Any]]:
    """Read both files."""
    files = sorted(made.path.glob("*.jsonl"))
    found = [row for path in files for row in lines(path)]
    for row in found:
        assert list(row) == ["conversations"]
        assert all(list(turn) == ["from", "value"] for turn in row["conversations"])
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
    developer = any(message["role"] == "developer" for message in exported(row))
    return losses(row) | ({"developer-as-system"} if developer else set())


def is_plain(row: Row) -> bool:
    """Tell whether a row's two texts say all of it."""
    bare = [set(message) == {"role", "content"} for message in row["messages"]]
    return all(bare) and len(bare) == 2 and set(row) == {"messages"}


def why_not_in_sharegpt(row: Row) -> str:
    """Name the first thing that the ShareGPT files cannot carry of a row."""
    kept = exported(row)
    roles = [message["role"] for message in kept]
    spoken = [role for role in roles if role not in INSTRUCTING]
    sides = [("user", "tool"), ("assistant",)]
    reasons = {
        "weights": any(
            message.get("weight") == 0 and message["role"] == "assistant" for message in kept
        ),
        "tools": "tool" in roles
        or "tools" in row
        or any("tool_calls" in message for message in kept),
        "names": any("name" in message and message["role"] != "tool" for message in kept),
        "uneven-turns": any(role not in sides[at % 2] for at, role in enumerate(spoken)),
        "late-system": any(role in INSTRUCTING for role in roles[1:]),
    }
    return next((f"cannot-carry-{what}" for what, holds in reasons.items() if holds), "")


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


# What becomes of system turns

TWO = [
    chat(("system", "Sei kurz. 🙂"), ("user", "q1"), ("assistant", "a1")),
    chat(
        ("user", "q2"), ("assistant", "a2"), ("developer", "d"), ("user", "q3"), ("assistant", "a")
    ),
    chat(("user", "q4"), ("assistant", "a4")),
]


def roles(made: PrepareResult) -> list[list[str]]:
    """Give of each turn its role, and of those that instruct what they say."""
    return [
        [each["content"] if each["role"] in INSTRUCTING else each["role"] for each in messages]
        for messages in (line["messages"] for line in lines(made.path))
    ]


@pytest.mark.parametrize(
    ("request_", "policy", "systems"),
    [
        ({}, "own", (["Sei kurz. 🙂"], ["d"], [SYSTEM_PROMPT])),
        ({"system_prompt": "P"}, "replace", (["P"], ["P"], ["P"])),
        ({"system_policy": "replace"}, "replace", ([SYSTEM_PROMPT],) * 3),
        (
            {"system_prompt": "P", "system_policy": "own"},
            "own",
            (["Sei kurz. 🙂"], ["d"], ["P"]),
        ),
        ({"system_prompt": "P", "system_policy": "none"}, "none", ([], [], [])),
    ],
)
def test_a_policy_says_what_becomes_of_system_turns(
    request_: dict[str, Any], policy: str, systems: tuple[list[str], ...], tmp_path: Path
) -> None:
    merge_chats(tmp_path, TWO)
    made = make(tmp_path, formats=("openai",), **request_)["openai"]
    said = [
        ["user", "assistant"],
        ["user", "assistant", "user", "assistant"],
        ["user", "assistant"],
    ]
    if policy == "own":
        said[1].insert(2, "d")
        assert roles(made) == [[*systems[0], *said[0]], said[1], [*systems[2], *said[2]]]
    else:
        assert roles(made) == [[*own, *turns] for own, turns in zip(systems, said, strict=True)]
    assert made.manifest["settings"]["system_policy"] == policy
    done = {
        "own": {},
        "replace": {"system-turns-replaced": 2},
        "none": {"system-turns-left-out": 2},
    }
    assert made.changed == done[policy]
    assert verify(tmp_path) == []


def test_a_prompt_of_the_settings_replaces_no_system_turn(tmp_path: Path) -> None:
    merge_chats(tmp_path, TWO)
    settings = Settings(data_dir=tmp_path, workers=1, system_prompt="Of the operator.")
    made = prepare(PrepareRequest(format="openai"), settings)["openai"]
    assert [said[0] for said in roles(made)] == ["Sei kurz. 🙂", "user", "Of the operator."]


@pytest.mark.parametrize(
    ("policy", "systems"),
    [
        ("own", {"Sei kurz. 🙂"}),
        ("replace", {SYSTEM_PROMPT}),
        ("none", set()),
    ],
)
def test_sharegpt_puts_the_prompt_in_the_place_of_system_turns_and_nowhere_else(
    policy: str, systems: set[str], tmp_path: Path
) -> None:
    merge_chats(tmp_path, TWO)
    made = make(tmp_path, formats=("sharegpt",), system_policy=policy)["sharegpt"]
    found = [row["conversations"] for row in read_sharegpt(made)]
    said = [turn["value"] for row in found for turn in row if turn["from"] == "system"]
    assert set(said) == systems
    # Where its own instructions stay, a record with one between its turns is not taken.
    assert len(said) == {"own": 1, "replace": 2, "none": 0}[policy]
    left = {"cannot-carry-late-system": 1} if policy == "own" else {}
    assert made.skipped == left
    (plain,) = (row for row in found if row[0]["value"] == "q4")
    assert [turn["from"] for turn in plain] == ["human", "gpt"]


# What a format cannot carry

WEIGHTED = chat(
    ("user", "q5"),
    {"role": "assistant", "content": "bad", "weight": 0},
    ("user", "!"),
    {"role": "assistant", "content": "good", "weight": 1},
)


def test_an_answer_that_is_not_to_be_learnt_is_none_in_any_format(tmp_path: Path) -> None:
    merge_chats(tmp_path, [*TWO, WEIGHTED])
    made = make(tmp_path)
    weights = [
        [turn.get("weight") for turn in line["messages"] if turn["role"] == "assistant"]
        for line in lines(made["openai"].path)
    ]
    assert weights[-1] == [0, 1]
    left = {"cannot-carry-weights": 1, "cannot-carry-late-system": 1}
    assert made["sharegpt"].skipped == left
    assert made["sharegpt"].rows == len(read_sharegpt(made["sharegpt"])) == 2
    assert "bad" not in json.dumps(read_sharegpt(made["sharegpt"]))
    table = (made["huggingface"].path / "dataset.csv").read_text("utf-8")
    assert '"User: q5\n\nAssistant: bad\n\nUser: !","good"' in table
    (source,) = made["sharegpt"].manifest["sources"]
    assert (source["read"], source["kept"]) == (4, 2)
    assert source["dropped"] == left


def test_weights_behind_the_last_answer_keep_no_row_out(tmp_path: Path) -> None:
    tail = {"role": "assistant", "content": "never", "weight": 0}
    merge_chats(tmp_path, [chat(("user", "q"), ("assistant", "a"), ("user", "!"), tail)])
    made = make(tmp_path)
    assert made["sharegpt"].skipped == {}
    assert made["sharegpt"].changed == made["openai"].changed == {"later-turns-left-out": 1}
    for name in ("openai", "sharegpt"):
        assert "never" not in json.dumps(made[name].manifest)
    assert [len(line["messages"]) for line in lines(made["openai"].path)] == [3]


def test_a_format_that_can_carry_none_of_the_rows_says_which_can(tmp_path: Path) -> None:
    merge_chats(tmp_path, [WEIGHTED])
    with pytest.raises(SettingsError, match="no record is left for sharegpt") as caught:
        make(tmp_path)
    assert caught.value.hint == "Formats that can: openai, chat, axolotl."


def test_a_record_is_on_the_same_side_in_each_format(tmp_path: Path) -> None:
    found = [
        chat(("user", f"q{at}"), ("assistant", "a"), ("user", "?"), ("assistant", f"b{at}"))
        for at in range(60)
    ]
    for row in found[::3]:
        row["messages"][1]["weight"] = 0
    merge_chats(tmp_path, found)
    made = make(tmp_path)
    held = {
        line["conversations"][0]["value"]
        for line in lines(made["sharegpt"].path / "validation.jsonl")
    }
    import datasets

    folder = datasets.load_from_disk(str(made["huggingface"].path))
    inputs = {text.split("\n")[0].removeprefix("User: ") for text in folder["validation"]["input"]}
    carried = {row["messages"][0]["content"] for row in found if "weight" not in row["messages"][1]}
    assert held == inputs & carried
    proof = made["sharegpt"].split
    assert proof is not None
    assert proof["parts"]["validation"]["rows"] == len(held)
    assert proof["parts"]["train"]["rows"] == 40 - len(held)


def test_the_flat_table_says_what_it_made_flat_and_who_has_the_turns(tmp_path: Path) -> None:
    merge_chats(tmp_path, TWO)
    made = make(tmp_path)["huggingface"]
    (said,) = (warning for warning in made.warnings if "made flat" in warning)
    assert said.startswith("2 of the 3 rows are conversations made flat")
    assert said.endswith(
        "Their turns are in openai, chat, llama-factory, axolotl, ms-swift, sharegpt, mlx, gemini "
        "and bedrock."
    )
    card = (made.path / "README.md").read_text("utf-8")
    assert said in card
    assert "| chats | conversation-made-flat | 2 |" in card


# Preference pairs


def test_a_pair_of_conversations_is_taken_once_by_its_chosen_side(tmp_path: Path) -> None:
    shared = chat(("system", "s"), ("user", "q"), ("assistant", "a"), ("user", "¿y?"))["messages"]

    def pair(chosen: str, rejected: str) -> Row:
        sides = {"chosen": chosen, "rejected": rejected}
        return {
            side: [*shared, {"role": "assistant", "content": text}] for side, text in sides.items()
        }

    rows = [pair("yes", "no"), pair("yes", "never"), pair("maybe", "no")]
    write_rows(tmp_path / "pairs.jsonl", rows)
    merge_entries(tmp_path, entry("pairs", "pairs.jsonl"))
    made = make(tmp_path / "out")
    found = [line["messages"] for line in lines(made["openai"].path)]
    assert found == [rows[0]["chosen"], rows[2]["chosen"]]
    for each in made.values():
        assert each.skipped == {"same-answer": 1}
        assert each.changed["rejected-side-left-out"] == each.rows == 2
        assert "never" not in "".join(
            file.read_text("utf-8") for file in each.path.parent.glob(f"{each.path.name}*/*.jsonl")
        )
    assert verify(tmp_path / "out") == []


# Calls of tools, as sources have them


def test_answers_and_calls_without_ids_are_paired_in_their_order(tmp_path: Path) -> None:
    def call(name: str, **more: Any) -> dict[str, Any]:
        return {"function": {"name": name, "arguments": {"é": [1, None]}}, **more}

    calling = {
        "role": "assistant",
        "content": None,
        "tool_calls": [call("f", id="call_1"), call("g")],
    }
    merge_chats(
        tmp_path, [chat(("user", "q"), calling, ("tool", "1"), ("tool", "2"), ("assistant", "a"))]
    )
    made = make(tmp_path, formats=("openai",))
    ((_, _, called, one, two, _),) = (line["messages"] for line in lines(made["openai"].path))
    assert [each["id"] for each in called["tool_calls"]] == ["call_1", "call_2"]
    assert [one["tool_call_id"], two["tool_call_id"]] == ["call_1", "call_2"]
    assert {each["function"]["arguments"] for each in called["tool_calls"]} == {'{"é":[1,null]}'}


@pytest.mark.parametrize("wrapped", [True, False])
def test_tools_are_written_as_the_schema_has_them(wrapped: bool, tmp_path: Path) -> None:
    function = {"name": "f", "parameters": {"type": "object"}}
    tool = {"type": "function", "function": function}
    given = [tool if wrapped else function]
    row = chat(("user", "q"), ("assistant", "a"), tools=json.dumps(given, indent=2))
    merge_chats(tmp_path, [row])
    made = make(tmp_path, formats=("openai", "huggingface"))
    assert [line["tools"] for line in lines(made["openai"].path)] == [[tool]]
    assert made["huggingface"].changed == {"conversation-made-flat": 1, "tools-left-out": 1}


def test_consumers_load_what_was_written(tmp_path: Path) -> None:
    import datasets

    calling = {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
        ],
    }
    answer = {"role": "tool", "content": "ok", "tool_call_id": "c"}
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    used = chat(("user", "q"), calling, answer, ("assistant", "a"), tools=tools)
    merge_chats(tmp_path, [*TWO, WEIGHTED, used])
    made = make(tmp_path)
    cache = str(tmp_path / "cache")
    chats = datasets.load_dataset("json", data_files=str(made["openai"].path), cache_dir=cache)
    assert chats["train"].num_rows == 5
    (called,) = (row for row in chats["train"] if row["tools"])
    assert called["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    assert [turn.get("weight") for turn in chats["train"][3]["messages"]] == [
        None,
        None,
        0,
        None,
        1,
    ]
    there = {path.stem: str(path) for path in made["sharegpt"].path.glob("*.jsonl")}
    turns = datasets.load_dataset("json", data_files=there, cache_dir=cache)
    assert sum(turns.num_rows.values()) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_the_bytes_do_not_depend_on_workers_or_runs(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        chat(
            ("user", f"q{at} 😀"),
            ("assistant", f"a{at}"),
            *[("user", "?"), ("assistant", "!")] * (at % 3),
        )
        for at in range(40)
    ]
    for name, size in (("one", 2**30), ("two", 1)):
        monkeypatch.setattr(preparing_runs, "_RUN_BYTES", size)
        halves = (chat_source(tmp_path / name / "own", f"half-{at}", found[at::2]) for at in (0, 1))
        merge_own(tmp_path / name, *halves, workers=workers)
        make(tmp_path / name, workers, formats=("openai", "sharegpt"))
    for file in ("openai.jsonl", "sharegpt/train.jsonl", "sharegpt/validation.jsonl"):
        one, two = (
            (tmp_path / name / f"mental_health_{file}").read_bytes() for name in ("one", "two")
        )
        assert one == two
