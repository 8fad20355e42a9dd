"""Any conversation that a source can hold comes back from the corpus with the same turns."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from own_layouts import entry, merge_entries, turns, write_rows

from mindcorpus.conversations import Turn

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SAID = TEXT.filter(lambda text: not text.isspace() and text != "")
NAME = st.none() | SAID
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "id": SAID,
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {"name": SAID, "arguments": SAID | st.dictionaries(TEXT, st.integers(-9, 9))}
            ),
        }
    ),
    min_size=1,
    max_size=2,
).map(lambda calls: json.dumps(calls, ensure_ascii=False, separators=(",", ":")))
WEIGHT = st.sampled_from([None, 0, 1])


def turn_of(*fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Turn]:
    """Give turns with these fields alone: `builds` would fill the others as well."""
    return st.tuples(*fields).map(lambda values: Turn(*values))


asking = turn_of(st.just("user"), TEXT, NAME, WEIGHT)
saying = turn_of(
    st.just("assistant"), TEXT, NAME, WEIGHT, st.none() | CALLS, st.none(), st.none() | SAID
)
result = turn_of(st.just("tool"), TEXT, NAME, WEIGHT, st.none(), st.none() | SAID)
instructing = turn_of(st.sampled_from(["system", "developer"]), TEXT, NAME)
any_turns = st.lists(asking | saying | result | instructing, max_size=4)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Turn, ...]:
    """Turns among which something is asked and, later, something said that is to be learnt."""
    asked = draw(asking)._replace(content=draw(SAID))
    answer = draw(saying)._replace(content=draw(SAID), weight=draw(st.sampled_from([None, 1])))
    return (*draw(any_turns), asked, *draw(any_turns), answer, *draw(any_turns))


def message(turn: Turn, keys: tuple[str, str], names: dict[str, str]) -> dict[str, Any]:
    given_ = {name: value for name, value in turn._asdict().items() if value is not None}
    found = {keys[0]: names.get(given_.pop("role"), turn.role), keys[1]: given_.pop("content")}
    calls = given_.pop("tool_calls", None)
    return found | given_ | ({} if calls is None else {"tool_calls": json.loads(calls)})


def as_table(turn: Turn) -> dict[str, Any]:
    return turn._asdict()


SHARED = {"user": "human", "assistant": "gpt", "tool": "observation"}
STRUCT = pa.struct(
    [(name, pa.int64() if name == "weight" else pa.large_string()) for name in Turn._fields]
)
FILES = {
    "lines": ("rows.jsonl", ("role", "content"), {}),
    "shared": ("shared.json", ("from", "value"), SHARED),
    "cells": ("cells.csv", ("speaker", "text"), {"user": "Client", "assistant": "Therapist"}),
}


# Each example is a merge: making a failing one smaller would take minutes.
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(chats=st.lists(conversations(), min_size=1, max_size=12))
def test_the_same_turns_come_back_from_every_layout(chats: list[tuple[Turn, ...]]) -> None:
    def marked(source: str) -> list[tuple[Turn, ...]]:
        # So that no record is the duplicate of another.
        return [(*chat, Turn("user", f"{source} {number}")) for number, chat in enumerate(chats)]

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source, (file, keys, names) in FILES.items():
            rows = [
                {"chat": [message(turn, keys, names) for turn in chat]} for chat in marked(source)
            ]
            write_rows(folder / file, rows)
        table = [{"chat": [as_table(turn) for turn in chat]} for chat in marked("table")]
        write_rows(folder / "table.parquet", table, pa.schema([("chat", pa.list_(STRUCT))]))
        files = {**{source: file for source, (file, *_) in FILES.items()}, "table": "table.parquet"}
        merged = merge_entries(folder, *(entry(source, file) for source, file in files.items()))
        assert turns(merged) == [chat for source in files for chat in marked(source)]


ASKED, ANSWER = {"role": "user", "content": "Hé?"}, {"role": "assistant", "content": "Oui 😀"}
WITH_NUL = (
    [{"role": "user", "content": "Hé\0?"}, ANSWER, ASKED, ANSWER],
    [
        {"role": "user", "content": "Hé?\0"},
        {"role": "assistant", "content": "\0Oui"},
        ASKED,
        ANSWER,
    ],
    [{"role": "system", "content": "\0"}, ASKED, ANSWER],
    [ASKED, ANSWER, {"role": "user", "content": "Et\0?"}],
    [{**ASKED, "name": "a\0b"}, ANSWER],
    [ASKED, {**ANSWER, "reasoning_content": "a\0b"}],
)


def test_a_nul_in_any_turn_drops_its_row_alone(tmp_path: Path) -> None:
    # Between folded turns stands a NUL: one of the source's own would make others of them.
    rows = [{"messages": turns} for turns in ([ASKED, ANSWER], *WITH_NUL, [ASKED, ANSWER, ASKED])]
    write_rows(tmp_path / "nul.jsonl", rows)
    result = merge_entries(tmp_path, entry("Nul", "nul.jsonl", "loss_limit = 1.0"))
    (source,) = result.manifest["sources"]
    assert source["dropped"] == {"nul-character": len(WITH_NUL)}
    assert source["kept"] == 2
