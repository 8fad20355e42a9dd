"""Conversations of a corpus come back as its sources have them, whatever way is taken to them."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import NAME, merge_own, own_rows, read_json
from hypothesis import given
from hypothesis import strategies as st
from own_layouts import entry, merge_entries, write_rows
from talks import TALKS, merge_talks

from mindcorpus import prepare_for
from mindcorpus.conversations import Turn, message_of
from mindcorpus.corpus.index import Filter
from mindcorpus.corpus.matching import SEARCHED, holding
from mindcorpus.corpus.reader import Records, browse, lineage, record
from mindcorpus.corpus.row_facts import read_row_facts
from mindcorpus.corpus.search import Search
from mindcorpus.corpus.transcript import transcript_of
from mindcorpus.corpus.turns import FIELDS, NAMES, messages_array, values_beside
from mindcorpus.records import COLUMNS
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

WORDS = st.sampled_from(["sad", "Sad", "ÉTÉ", "été", "睡", "-", "sadder"])
TEXTS = st.lists(WORDS, max_size=4).map(" ".join)
MAYBE = st.none() | TEXTS
CALLS = st.lists(
    st.fixed_dictionaries(
        {"function": st.fixed_dictionaries({"name": TEXTS, "arguments": st.integers() | TEXTS})}
    )
)
TURNS = st.builds(
    Turn,
    role=st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
    content=MAYBE,
    name=MAYBE,
    weight=st.sampled_from([None, 0, 1]),
    tool_calls=st.none() | CALLS.map(json.dumps),
    tool_call_id=MAYBE,
    reasoning_content=MAYBE,
)
CONVERSATIONS = st.none() | st.lists(TURNS, min_size=1, max_size=4)


@pytest.fixture(scope="module")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talks") / "data"
    merge_talks(folder, TALKS)
    return folder


def test_what_goes_in_comes_out_beside_the_six_fields(talks: Path) -> None:
    found = browse(talks).records
    assert [{name: each[name] for name in NAMES} for each in found] == [
        {name: row.get(name) for name in NAMES} for row in TALKS
    ]
    six = [{name: each[name] for name in COLUMNS} for each in found]
    assert six == read_json(talks / f"{NAME}.json")
    assert {tuple(each) for each in found} == {("row", *COLUMNS, *NAMES)}


def test_a_record_alone_and_a_stream_of_all_hold_the_same(talks: Path) -> None:
    expected = browse(talks).records
    assert [record(talks, row)[0] for row in range(len(TALKS))] == expected
    assert list(Records(Store(talks).folder("corpus")).each(Filter(), [])) == expected


@given(turn=TURNS)
def test_a_message_has_the_fields_that_are_given_and_no_other(turn: Turn) -> None:
    message = message_of(turn)
    calls = message.pop("tool_calls", None)
    assert calls == (None if turn.tool_calls is None else json.loads(turn.tool_calls))
    assert Turn(**message, tool_calls=turn.tool_calls) == turn
    assert [name for name in message if message[name] is None] in ([], ["content"])


def table_of(messages: Any, rejected: Any) -> Any:
    none = [pa.nulls(len(messages), field.type) for field in FIELDS[2:]]
    columns = [messages_array(messages), messages_array(rejected), *none]
    return pa.Table.from_arrays(columns, schema=pa.schema(FIELDS))


@given(rows=st.lists(CONVERSATIONS, max_size=6), data=st.data())
def test_some_rows_of_a_column_are_read_as_all_of_them_are(rows: Any, data: st.DataObject) -> None:
    expected = [None if turns is None else [message_of(turn) for turn in turns] for turns in rows]
    table = table_of(rows, rows[::-1])
    found = list(values_beside(table))
    assert [each["messages"] for each in found] == expected
    assert [each["rejected_messages"] for each in found] == expected[::-1]
    some = data.draw(
        st.lists(st.sampled_from(range(len(rows))), unique=True) if rows else st.just([])
    )
    assert list(values_beside(table.take(pa.array(some, pa.int64())))) == [found[at] for at in some]
    first = data.draw(st.integers(0, len(rows)))
    assert list(values_beside(table.slice(first))) == found[first:]


@given(
    rows=st.lists(st.tuples(TEXTS, CONVERSATIONS, CONVERSATIONS), max_size=6),
    words=st.lists(WORDS, min_size=1, max_size=2),
    first=st.integers(0, 3),
)
def test_a_search_finds_what_a_look_at_each_text_and_turn_finds(
    rows: Any, words: list[str], first: int
) -> None:
    def found_in(row: Any) -> bool:
        turns = [*(row[1] or ()), *(row[2] or ())]
        texts = [row[0], *(turn.content for turn in turns)]
        texts += [turn.reasoning_content for turn in turns]
        return any(all(word.lower() in (text or "").lower() for word in words) for text in texts)

    flat = pa.array([row[0] for row in rows], pa.string())
    beside = table_of([row[1] for row in rows], [row[2] for row in rows])
    columns = {name: flat if name in COLUMNS else beside.column(name) for name in SEARCHED}
    # In two chunks, one of which begins in the midst of its buffers.
    table = pa.concat_tables([pa.table(columns).slice(first), pa.table(columns)])
    assert holding(table, words).tolist() == [found_in(row) for row in [*rows[first:], *rows]]


def test_a_search_finds_what_stands_in_turns_alone(talks: Path) -> None:
    def rows(search: str) -> list[int]:
        by_steps = Search(Records(Store(talks).folder("corpus")), Filter(), tuple(search.split()))
        while not by_steps.complete:
            by_steps.go_on(0)
        found = [each["row"] for each in browse(talks, search=search).records]
        assert by_steps.hits.tolist() == found
        return found

    assert rows("ØRSTED kind") == [1]  # a system turn
    assert rows("bis morgen") == [1]  # a turn behind the last answer
    assert rows("calendar") == [2]  # what was thought
    assert rows("find_slot Freitag") == [2]  # a call, in the flat text
    assert rows("cheer up") == [3]  # the rejected side
    assert rows("kind schlafe") == []  # in two turns, which are two texts


def test_the_lineage_says_what_a_conversation_holds_and_never_its_groups_key(talks: Path) -> None:
    found = [lineage(talks, row) for row in range(len(TALKS))]
    assert [each["holds"] for each in found] == [
        [],
        ["turns", "system", "names", "weights", "later-turns"],
        ["turns", "system", "developer", "tools", "reasoning"],
        ["turns", "rejected-turns"],
        [],
        ["turns", "system", "names"],
        ["turns"],
    ]
    assert [each["grouped"] for each in found] == [row == 1 for row in range(len(TALKS))]
    assert "group_key" not in found[1]
    assert "patient 7" not in str(found)


#: Columns that came with conversations, by file.
LATER = {
    "parquet": {*NAMES},
    "lineage.parquet": {
        *("holds", "same_answer", "same_opening", "group_key"),
        *("turns_json", "system_json", "tools_json"),
    },
}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A corpus as releases wrote it that knew no conversations."""
    rows = [{"q": f"How do I sleep, the {n}th time? 😴", "a": f"Ça ira, {n}."} for n in range(20)]
    merge_own(tmp_path / "data", own_rows(tmp_path / "own", "Old", rows))
    folder = Store(tmp_path / "data").folder("corpus")
    for name, later in LATER.items():
        path = folder / f"{NAME}.{name}"
        for file in path.iterdir() if path.is_dir() else [path]:
            table = pq.read_table(file)
            assert later <= {*table.column_names}
            pq.write_table(table.drop_columns(sorted(later)), file)
    manifest = json.loads((folder / "manifest.json").read_text())
    for output in manifest["outputs"]:
        file = folder / output["path"]
        output["bytes"], output["sha256"] = (
            file.stat().st_size,
            sha256(file.read_bytes()).hexdigest(),
        )
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert verify(tmp_path / "data") == []
    return tmp_path / "data"


def test_a_corpus_of_before_there_were_conversations_is_read_all_the_same(old: Path) -> None:
    found = browse(old, search="sleep").records
    assert [{name: each[name] for name in COLUMNS} for each in found] == read_json(
        old / f"{NAME}.json"
    )
    assert [each[name] for each in found for name in NAMES] == [None] * len(found) * len(NAMES)
    origin = lineage(old, 19)
    assert (origin["corpus_row"], origin["holds"], origin["grouped"]) == (19, [], False)


def test_a_corpus_of_before_there_were_conversations_is_prepared_all_the_same(old: Path) -> None:
    facts = read_row_facts(Store(old).folder("corpus") / f"{NAME}.lineage.parquet")
    assert len(facts.source) == 20
    assert not facts.holding("turns").any()
    assert not facts.group_key.any()
    assert {*facts.same_answer.tolist(), *facts.same_opening.tolist()} == {-1}
    assert prepare_for("openai", old).rows == 20


def test_of_a_bad_answer_alone_all_turns_before_it_are_what_was_asked(tmp_path: Path) -> None:
    asked = [
        {"role": "user", "content": "Ça va ?"},
        {"role": "assistant", "content": "好 😀"},
        {"role": "user", "content": "Et sinon ?"},
    ]
    bad = {"role": "assistant", "content": "Bof."}
    rows: list[dict[str, Any]] = [
        {"prompt": asked, "completion": [bad], "label": False},
        {"prompt": asked[:1], "completion": asked[1:2], "label": True},
    ]
    write_rows(tmp_path / "rated.jsonl", rows)
    merge_entries(tmp_path, entry("Rated", "rated.jsonl"))
    found, origin, _ = record(tmp_path / "out", 0)
    assert (found["messages"], found["response"]) == (asked, "")
    assert found["rejected_messages"] == [*asked, bad]
    # The assistant's turn of before is an answer to another question.
    # There is no answer to learn: the turns that are asked end with the user's.
    assert origin["holds"] == ["turns", "rejected-turns", "uneven-turns"]
    shown = transcript_of(found)
    assert [turn.remarks for turn in shown.turns] == [(), (), ()]
    assert [[turn.text for turn in side] for side in shown.sides] == [[], ["Bof."]]
