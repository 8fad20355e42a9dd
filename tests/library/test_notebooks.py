"""Results in a notebook: short to look at, and tables and datasets of what was published."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from chats import chat, chat_source
from command_line import environment
from corpora import merge_own, own_rows, read_json, read_parquet

from mindcorpus import MergeResult, PrepareResult, prepare_for
from mindcorpus.api import Choices
from mindcorpus.errors import SettingsError
from mindcorpus.job_requests import PrepareRequest

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

TEXT = "I feel <b>very</b> alone & tired"


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> MergeResult:
    """A corpus of plain records, of a source of a name that HTML would take for its own, and chats.

    It is beside a folder of that name, too.
    """
    folder = tmp_path_factory.mktemp("notebook") / "a <i>folder</i>"
    rows = [{"q": f"{TEXT} {n}", "a": f"answer {n}"} for n in range(50)]
    chats = [chat(("user", f"{n}"), ("assistant", "go on"), ("user", "more"), ("assistant", f"{n}"))
             for n in range(20)]  # fmt: skip
    files = own_rows(folder / "own", "plain", rows), chat_source(folder / "own", "chats", chats)
    return merge_own(folder / "data", *files)


@pytest.fixture(scope="module")
def made(merged: MergeResult) -> dict[str, PrepareResult]:
    data = merged.json_path.parent
    return prepare_for(["openai", "huggingface", "chat", "sharegpt"], data, test_share=0.1)


def parts_of(made: dict[str, PrepareResult]) -> dict[int, str]:
    file = "merged_mental_health_dataset.split.parquet"
    parts = pq.read_table(made["openai"].path.parent / file)["part"].to_pylist()
    return dict(enumerate(parts))


# What is shown


class Shown(HTMLParser):
    """Collects the tags and the texts of a table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        del attrs
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_result_is_told_in_a_line(merged: MergeResult, made: dict[str, PrepareResult]) -> None:
    assert repr(merged) == f"<MergeResult: 70 records of 2 sources, {merged.json_path}>"
    chat_folder = made["chat"]
    assert repr(chat_folder) == (
        f"<PrepareResult chat: 70 rows, train 49, validation 14, test 7, {chat_folder.path}>"
    )
    assert repr(made["openai"]) == f"<PrepareResult openai: 70 rows, {made['openai'].path}>"


def test_a_result_is_a_small_escaped_table(
    merged: MergeResult, made: dict[str, PrepareResult]
) -> None:
    results: tuple[MergeResult | PrepareResult, ...] = (merged, *made.values())
    for result in results:
        html = result._repr_html_()
        shown = Shown(html)
        assert shown.tags <= {"table", "caption", "tbody", "tr", "th", "td", "br"}
        assert any("a <i>folder</i>" in text for text in shown.texts)
        assert TEXT not in " ".join(shown.texts)
        assert len(html) < 5_000
    texts = Shown(made["chat"]._repr_html_()).texts
    assert {"train: 49", "validation: 14", "test: 7"} <= set(texts)
    assert "plain: 50" in Shown(merged._repr_html_()).texts


def test_a_table_says_what_was_left_out_and_warns(sample: Made) -> None:
    texts = Shown(sample.prepared["openai"]._repr_html_()).texts
    assert "no-response: 112" in texts
    assert set(sample.prepared["openai"].warnings) <= set(texts)
    # A corpus has more notes than are shown.
    assert len(Shown(sample.merged._repr_html_()).texts) < 60


# As datasets and as pandas


def test_the_corpus_is_a_table_and_a_dataset(merged: MergeResult) -> None:
    records = read_json(merged.json_path)
    table = merged.to_pandas()
    assert table["input"].tolist() == [record["input"] for record in records]
    assert [list(tags) for tags in table["tags"]] == [record["tags"] for record in records]
    loaded = merged.to_datasets()
    assert list(loaded) == ["train"]
    assert loaded["train"].to_list() == read_parquet(merged.parquet_path)


@pytest.mark.parametrize("name", ["openai", "huggingface", "chat", "sharegpt"])
def test_a_format_is_a_dataset_of_its_parts(name: str, made: dict[str, PrepareResult]) -> None:
    loaded = made[name].to_datasets()
    parts = Counter(parts_of(made).values())
    expected = {"train": 70} if name == "openai" else parts
    assert {part: rows.num_rows for part, rows in loaded.items()} == expected
    if name in ("chat", "sharegpt"):
        for part, rows in loaded.items():
            lines = (made[name].path / f"{part}.jsonl").read_text("utf-8").splitlines()
            assert rows.to_list() == [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", ["openai", "huggingface", "chat", "sharegpt"])
def test_a_format_is_a_table_with_the_part_of_each_record(
    name: str, made: dict[str, PrepareResult]
) -> None:
    table = made[name].to_pandas()
    assert table.index.tolist() == list(range(70))
    assert Counter(table["part"]) == Counter(parts_of(made).values())
    places = dict(
        enumerate(read_parquet(made[name].path.parent / "merged_mental_health_dataset.parquet"))
    )
    known = {record["response"]: parts_of(made)[row] for row, record in places.items()}
    for row in table.to_dict("records"):
        if name == "huggingface":
            last = row["output"]
        elif name == "sharegpt":
            last = row["conversations"][-1]["value"]
        else:
            last = row["messages"][-1]["content"]
            assert all(set(message) == {"role", "content"} for message in row["messages"])
        assert known[str(last)] == row["part"]


def test_a_section_that_is_not_there_is_told(made: dict[str, PrepareResult]) -> None:
    for read in (made["chat"].to_pandas, made["chat"].to_datasets, made["huggingface"].to_datasets):
        with pytest.raises(SettingsError, match="has no section 'dpo'") as caught:
            read("dpo")
        assert caught.value.hint == "It has default."


def test_looking_at_results_loads_neither_pandas_nor_datasets(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom mindcorpus import merge_all_datasets, prepare_for\n"
        "merged = merge_all_datasets(sample=True)\nmade = prepare_for('openai')\n"
        "merged._repr_html_(), made._repr_html_(), repr(merged), repr(made)\n"
        "print([name for name in ('pandas', 'datasets') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


# Choices


def test_choices_are_those_of_a_request() -> None:
    beside = {"settings", "report", "cancel"}
    fields = set(PrepareRequest.model_fields) - {"format", "formats"}
    assert set(Choices.__annotations__) == fields | beside


def test_every_choice_reaches_the_request(merged: MergeResult) -> None:
    choices: Choices = {
        "sources": iter(["plain", "chats"]),
        "exclude": {"chats"},
        "types": ["own"],
        "min_words": 1,
        "max_words": 9,
        "max_tokens": 1_000,
        "over_length": "keep",
        "tokenizer": "estimate",
        "caps": {"plain": 40},
        "mix": {"plain": 2},
        "system_prompt": "Be kind.",
        "system_policy": "replace",
        "force": True,
    }
    result = prepare_for("openai", merged.json_path.parent, **choices)
    settings = result.manifest["settings"]
    assert settings == {
        "sources": ["plain", "chats"],
        "exclude": ["chats"],
        "types": ["own"],
        "min_words": 1,
        "max_words": 9,
        "max_tokens": 1_000,
        "over_length": "keep",
        "tokenizer": "estimate",
        "caps": {"plain": 40},
        "mix": {"plain": 2.0},
        "system_prompt": "Be kind.",
        "system_policy": "replace",
    }
    assert result.repeats["plain"] > 20


def test_several_formats_are_made_at_once(sample: Made, copied: Path) -> None:
    made = prepare_for(("chat", "sharegpt"), copied)
    assert list(made) == ["chat", "sharegpt"]
    assert prepare_for("openai", copied, force=True).format == "openai"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ([], "no format is named"),
        ("all", "there is no format 'all'"),
        (["openai", "nothing"], "there is no format 'nothing'"),
    ],
)
def test_what_is_no_format_is_told(name: Any, told: str, copied: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape(told)):
        prepare_for(name, copied)


def test_one_name_where_several_are_meant_is_not_its_letters(copied: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        prepare_for("openai", copied, exclude="TRACE", force=True)
    assert caught.value.field == "exclude"
