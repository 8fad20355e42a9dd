"""Layouts that people have, from file to corpus: nothing of a row is lost, altered or made up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_layouts import entry, merge_entries, records, turns, write_rows

from mindcorpus.conversations import Turn
from mindcorpus.errors import MindcorpusError

MESSAGES = 'adapter = "messages"\n[source.options]\nmessages = "messages"'


def merged(
    folder: Path, rows: Sequence[dict[str, Any]], mapping: str = "", file: str = "rows.jsonl"
) -> list[tuple[str, str, str]]:
    """Merge rows alone; give input, response and rejected response of each record."""
    write_rows(folder / file, rows)
    found = records(merge_entries(folder, entry("Own", file, mapping)))
    return [(row["input"], row["response"], row["rejected_response"]) for row in found]


SIDES = [(f"Ist Tag {n} schwer? 😀", f"«Ja», Tag {n}: 谢谢.") for n in range(6)]
FLAT = [(asked, said, "") for asked, said in SIDES]


def chats(
    role: str = "role",
    content: str = "content",
    names: tuple[str, str] = ("user", "assistant"),
    column: str = "messages",
) -> list[dict[str, Any]]:
    return [
        {column: [{role: name, content: text} for name, text in zip(names, side, strict=True)]}
        for side in SIDES
    ]


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("human", "gpt"), ("from", "value")),
        (("Client", "Therapist"), ("speaker", "text")),
        (("user", "model"), ("role", "content")),
    ],
)
@pytest.mark.parametrize("file", ["rows.jsonl", "rows.json", "rows.csv", "rows.parquet"])
@pytest.mark.parametrize("said", [True, False])
def test_chats_with_other_keys_and_roles(
    tmp_path: Path, names: tuple[str, str], keys: tuple[str, str], file: str, *, said: bool
) -> None:
    rows = chats(*keys, names, "conversations")
    mapping = MESSAGES.replace('= "messages"', '= "conversations"')
    mapping = mapping.replace('adapter = "conversations"', 'adapter = "messages"')
    assert merged(tmp_path, rows, mapping if said else "", file) == FLAT


def test_names_that_nobody_knows_are_named_by_the_entry(tmp_path: Path) -> None:
    rows = chats("who", "said", ("Guest", "Mia"))
    named = f'{MESSAGES}\nrole_key = "who"\ncontent_key = "said"\n'
    roles = 'roles = { Mia = "assistant", Guest = "user" }'
    assert merged(tmp_path, rows, named + roles) == FLAT
    with pytest.raises(MindcorpusError, match=r"unknown-role.*roles tells what each name"):
        merged(tmp_path, rows, named)


CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TOOL_TURNS: list[dict[str, Any]] = [
    {"role": "user", "content": "Welche Nummer?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "Leitung 1 = 555-0100"},
    {"role": "assistant", "content": "Die 555-0100."},
]


def test_the_result_of_a_tool_stands_before_the_answer_that_rests_on_it(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"messages": TOOL_TURNS}])
    result = merge_entries(tmp_path, entry("Own", "rows.jsonl", MESSAGES))
    (record,) = records(result)
    assert record["input"] == (
        "User: Welche Nummer?\n\nAssistant: Calls look({})\n\nTool: Leitung 1 = 555-0100"
    )
    assert record["response"] == "Die 555-0100."
    assert turns(result) == [
        (
            Turn("user", "Welche Nummer?"),
            Turn("assistant", tool_calls=json.dumps([CALL], separators=(",", ":"))),
            Turn("tool", "Leitung 1 = 555-0100", tool_call_id="c1"),
            Turn("assistant", "Die 555-0100."),
        )
    ]


def test_a_call_and_its_result_in_the_form_of_shared_chats(tmp_path: Path) -> None:
    shared = [
        {"from": "human", "value": "Welche Nummer?"},
        {"from": "function_call", "value": json.dumps({"name": "look", "arguments": {}})},
        {"from": "observation", "value": "Leitung 1 = 555-0100"},
        {"from": "gpt", "value": "Die 555-0100."},
    ]
    (flat,) = merged(tmp_path, [{"conversations": shared, "tools": '[{"name": "look"}]'}])
    assert flat[0].endswith("Calls look({})\n\nTool: Leitung 1 = 555-0100")


def test_texts_in_parts_are_kept_and_a_picture_drops_its_row(tmp_path: Path) -> None:
    def parts(*texts: str) -> list[dict[str, Any]]:
        return [{"type": "text", "text": text} for text in texts]

    rows: list[Any] = [
        {
            "messages": [
                {"role": "user", "content": parts(asked, "Teil zwei.")},
                {"role": "assistant", "content": parts(said)},
            ]
        }
        for asked, said in SIDES
    ]
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    rows[2]["messages"][0]["content"].append(picture)
    for file in ("rows.jsonl", "rows.csv"):
        write_rows(tmp_path / file, rows)
        result = merge_entries(tmp_path, entry("Own", file, MESSAGES))
        (source,) = result.statistics["sources"].values()
        assert source["dropped"] == {"image-content": 1}
        assert source["changed"] == {"content-parts-joined": 5}
        assert [row["input"] for row in records(result)] == [
            f"{asked}\n\nTeil zwei." for n, (asked, _) in enumerate(SIDES) if n != 2
        ]


@pytest.mark.parametrize("file", ["rows.jsonl", "rows.csv", "rows.parquet"])
def test_instruction_and_input_are_one_prompt(tmp_path: Path, file: str) -> None:
    rows = [
        {
            "instruction": f"Fass Notiz {n} zusammen.",
            "input": "Schlief schlecht." * (n % 2),
            "output": f"Notiz {n}.",
        }
        for n in range(6)
    ]
    whole = [
        (f"Fass Notiz {n} zusammen." + "\n\nSchlief schlecht." * (n % 2), f"Notiz {n}.", "")
        for n in range(6)
    ]
    options = 'instruction = "instruction"\ninput = "input"\nresponse = "output"'
    assert merged(tmp_path, rows, f"[source.options]\n{options}", file) == whole
    assert merged(tmp_path, rows, file=file) == whole


PAIR = '[source.options]\ninput = "prompt"\nresponse = "chosen"\nrejected_response = "rejected"'


@pytest.mark.parametrize("mapping", [PAIR, ""])
@pytest.mark.parametrize("file", ["rows.jsonl", "rows.csv", "rows.parquet"])
def test_pairs_of_messages_with_the_prompt_within(tmp_path: Path, mapping: str, file: str) -> None:
    def side(n: int, text: str) -> list[dict[str, str]]:
        asked = {"role": "user", "content": f"Ruhiger Ort {n}?"}
        return [asked, {"role": "assistant", "content": text}]

    rows: list[dict[str, Any]] = [
        {"prompt": f"Ruhiger Ort {n}?", "chosen": side(n, "Ein See."), "rejected": side(n, "Nein.")}
        for n in range(4)
    ]
    pairs = [(f"Ruhiger Ort {n}?", "Ein See.", "Nein.") for n in range(4)]
    assert merged(tmp_path, rows, mapping, file) == pairs


def test_two_rejected_answers_to_one_chosen_are_two_pairs(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "Grüß sie.", "chosen": "Schön, dich zu sehen.", "rejected": bad}
        for bad in ("Was willst du?", "Geh weg.", "Was  willst du?")
    ]
    assert [pair[2] for pair in merged(tmp_path, rows, PAIR)] == ["Was willst du?", "Geh weg."]
    lists = [
        {key: [{"role": "assistant", "content": row[key]}] for key in ("chosen", "rejected")}
        | {"prompt": [{"role": "user", "content": row["prompt"]}]}
        for row in rows
    ]
    assert [pair[2] for pair in merged(tmp_path, lists)] == ["Was willst du?", "Geh weg."]


def test_a_table_of_structs_with_nulls_and_dictionaries(tmp_path: Path) -> None:
    turn = pa.struct(
        [
            ("role", pa.string()),
            ("content", pa.large_string()),
            ("name", pa.string()),
            ("weight", pa.int64()),
            ("tool_calls", pa.list_(pa.struct([("id", pa.string())]))),
        ]
    )
    schema = pa.schema(
        [("messages", pa.list_(turn)), ("topic", pa.dictionary(pa.int32(), pa.string()))]
    )
    rows = [{**row, "topic": "ab"[n % 2]} for n, row in enumerate(chats())]
    rows[1]["messages"][1]["weight"] = 1
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "rows.parquet")
    mapping = f'{MESSAGES}\ntag_columns = [{{ column = "topic", prefix = "topic:" }}]'
    result = merge_entries(tmp_path, entry("Own", "rows.parquet", mapping))
    assert [(row["input"], row["response"], "") for row in records(result)] == FLAT
    assert [row["tags"] for row in records(result)] == [["topic:a"], ["topic:b"]] * 3
    assert turns(result)[1][1] == Turn("assistant", SIDES[1][1], weight=1)


def test_numbers_and_truth_values_are_text_where_a_column_is_text(tmp_path: Path) -> None:
    rows = [{"question": "Wie oft?", "answer": 5}, {"question": True, "answer": "nein"}]
    assert merged(tmp_path, rows) == [("Wie oft?", "5", ""), ("true", "nein", "")]


def test_texts_with_headings(tmp_path: Path) -> None:
    rows = [{"text": f"Human: {asked}\n\nAssistant: {said}", "n": 1} for asked, said in SIDES]
    for file in ("rows.jsonl", "rows.csv"):
        assert merged(tmp_path, rows, file=file) == FLAT


def test_the_manifest_says_which_layout_was_seen(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", chats())
    seen = merge_entries(tmp_path, entry("Own", "rows.jsonl"))
    (source,) = seen.manifest["sources"]
    assert source["layouts"] == {
        "rows.jsonl": {
            "name": "messages",
            "adapter": "messages",
            "options": {"messages": "messages"},
            "reason": "'messages' holds messages with the keys 'role' and 'content'",
        }
    }
    said = merge_entries(tmp_path, entry("Own", "rows.jsonl", MESSAGES))
    assert "layouts" not in said.manifest["sources"][0]


def test_a_layout_that_is_not_known_fails_the_source_and_lists_its_columns(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"alpha": "x", "beta": 1}])
    with pytest.raises(MindcorpusError) as caught:
        merge_entries(tmp_path, entry("Own", "rows.jsonl"))
    assert caught.value.title == "its layout is none that is known; it has 'alpha', 'beta'"
    assert (caught.value.source, caught.value.file) == ("Own", "rows.jsonl")


def test_groups_and_kept_columns_reach_the_corpus(tmp_path: Path) -> None:
    rows = [{**row, "patient": n // 2, "day": f"Tag {n}"} for n, row in enumerate(chats())]
    mapping = 'group = ["patient"]\nkeep_columns = ["day"]\n'
    write_rows(tmp_path / "rows.jsonl", rows)
    result = merge_entries(tmp_path, entry("Own", "rows.jsonl", mapping))
    assert [json.loads(row["metadata"]) for row in records(result)] == [
        {"day": f"Tag {n}"} for n in range(6)
    ]
    groups = pq.read_table(result.lineage_path)["group_key"].to_pylist()
    assert [groups.index(key) // 2 for key in groups] == [0, 0, 1, 1, 2, 2]
