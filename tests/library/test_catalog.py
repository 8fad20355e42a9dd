from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog_entry import ENTRY
from raw_files import adapt_file, kept

from mindcorpus.errors import SettingsError
from mindcorpus.report import html
from mindcorpus.sources.adapters import LastMark
from mindcorpus.sources.catalog import Catalog, Commercial, load_catalog
from mindcorpus.sources.chat_adapter import Messages
from mindcorpus.sources.columns_adapter import Columns
from mindcorpus.sources.thread_adapter import Threads
from mindcorpus.storage import cards

# name: repository, files and their formats, type, adapter, licence, whether a product may use it.
SEVEN = {
    "Human-Like-DPO-Dataset": (
        "HumanLLMs/Human-Like-DPO-Dataset",
        {"data.json": "json"},
        ("instruction", Columns),
        ("LicenseRef-Llama-3-Community", "with-conditions"),
    ),
    "mental_health_counseling_conversations": (
        "Amod/mental_health_counseling_conversations",
        {"combined_dataset.json": "json"},
        ("counseling", Columns),
        ("LicenseRef-RAIL-D", "after-payment"),
    ),
    "Psych-101": (
        "marcelbinz/Psych-101",
        {"prompts_training.jsonl": "jsonl"},
        ("psychology", LastMark),
        ("Apache-2.0", "yes"),
    ),
    "MentalChat16K": (
        "ShenLab/MentalChat16K",
        {"Interview_Data_6K.csv": "csv", "Synthetic_Data_10K.csv": "csv"},
        ("counseling", Columns),
        ("MIT", "yes"),
    ),
    "RedditESS": (None, {}, ("social_support", Threads), ("LicenseRef-None", "unknown")),
    "TRACE": (
        "PomboLabs/TRACE",
        {"data/splits/train.jsonl": "jsonl"},
        ("clinical", Messages),
        ("CC-BY-NC-4.0", "no"),
    ),
    "Depression-Reddit-Cleaned": (
        "hugginglearners/reddit-depression-cleaned",
        {"depression_dataset_reddit_cleaned.csv": "csv"},
        ("classification", Columns),
        ("CC0-1.0", "yes"),
    ),
}


# The project's own


def test_the_seven_sources_stand_in_the_order_of_the_guide() -> None:
    assert load_catalog().names == tuple(SEVEN)


@pytest.mark.parametrize("name", SEVEN)
def test_each_has_its_home_files_and_licence(name: str) -> None:
    source = load_catalog()[name]
    repository, files, (type_, adapter), licence = SEVEN[name]
    assert source.repository == repository
    assert {file.path: file.read_as for file in source.files} == files
    assert (source.type, type(source.build_adapter())) == (type_, adapter)
    assert (source.licence.id, source.licence.commercial) == licence
    assert source.licence.url.startswith("https://")
    assert source.title
    assert bool(source.licence.warning) == (licence[1] != "yes")


def test_the_one_without_a_home_is_a_folder_that_may_be_absent() -> None:
    source = load_catalog()["RedditESS"]
    assert source.path == "raw/RedditESS"
    assert "--path RedditESS=" in source.absent
    assert [other.name for other in load_catalog() if other.absent] == ["RedditESS"]


# Choosing


def test_commercial_only_keeps_exactly_what_a_licence_allows() -> None:
    chosen = load_catalog().choose(commercial_only=True)
    assert chosen.names == (
        "Human-Like-DPO-Dataset",
        "Psych-101",
        "MentalChat16K",
        "Depression-Reddit-Cleaned",
    )


def test_sources_are_chosen_in_the_order_of_the_catalogue() -> None:
    catalog = load_catalog()
    assert catalog.choose(["TRACE", "Psych-101"]).names == ("Psych-101", "TRACE")
    assert catalog.choose(exclude=["TRACE"]).names == tuple(n for n in SEVEN if n != "TRACE")
    assert catalog.choose(["TRACE", "Psych-101"], ["TRACE"]).names == ("Psych-101",)
    assert catalog.choose().names == tuple(SEVEN)


def test_nothing_left_and_names_unknown_are_errors() -> None:
    catalog = load_catalog()
    cases: list[tuple[list[str] | None, list[str]]] = [(["TRACE"], ["TRACE"]), ([], [])]
    for only, exclude in cases:
        with pytest.raises(SettingsError, match="no source is left"):
            catalog.choose(only, exclude)
    with pytest.raises(SettingsError, match="no source is left"):
        catalog.choose(["TRACE"], commercial_only=True)
    for only, exclude in ((["Trace"], []), (None, ["Trace"])):
        with pytest.raises(SettingsError, match="no source is called 'Trace'") as caught:
            catalog.choose(only, exclude)
        assert "TRACE" in caught.value.hint


# Options


def test_options_are_changed_for_one_run() -> None:
    catalog = load_catalog()
    changed = catalog.with_options({"Psych-101.max_chars": "0", "Psych-101.text": "words"})
    adapter = changed["Psych-101"].build_adapter()
    assert isinstance(adapter, LastMark)
    assert (adapter.text, adapter.max_chars, len(adapter.tag_columns)) == ("words", 0, 2)
    assert changed.names == catalog.names
    unchanged = catalog["Psych-101"].build_adapter()
    assert isinstance(unchanged, LastMark)
    assert unchanged.max_chars == 8000


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("Psych-101.max_char", "1", "no option 'Psych-101.max_char'"),
        ("max_chars", "1", "no option 'max_chars'"),
        ("Psych-101.", "1", "no option"),
        ("Psych101.max_chars", "1", "no source is called 'Psych101'"),
        ("Psych-101.max_chars", "many", "max_chars=many: input should be a valid integer"),
        ("Psych-101.max_chars", "1.5", "valid integer"),
        ("Psych-101.max_chars", "-1", "0 for no limit"),
        ("TRACE.tag_columns", "x", "TRACE.tag_columns=x"),
        ("MentalChat16K.cut_response_at", "(", "not a regular expression of re2"),
    ],
)
def test_an_option_that_is_wrong_is_an_error(option: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_catalog().with_options({option: value})
    assert words in caught.value.title
    assert "value error" not in caught.value.title
    assert caught.value.hint or caught.value.field == option


def test_the_hint_lists_the_options_there_are() -> None:
    with pytest.raises(SettingsError) as caught:
        load_catalog().with_options({"Psych-101.limit": "1"})
    assert "Psych-101 has tag_columns, text, max_chars" in caught.value.hint


# A user's own


@pytest.fixture
def own(tmp_path: Path) -> Catalog:
    """A user's catalogue with one source for each format, all of the same two rows."""
    rows = [{"q": "one", "a": "1"}, {"q": "two", "a": "NA"}]
    folder = tmp_path / "mine"
    folder.mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "r.json").write_text(json.dumps(rows))
    for name in ("r.jsonl", "r.ndjson", "r.txt"):
        (folder / name).write_text(lines)
    (folder / "r.CSV").write_text("q,a\none,1\ntwo,NA\n")
    pq.write_table(pa.Table.from_pylist(rows), folder / "r.parquet")
    entries = [
        ENTRY.replace("own", name)
        .replace('repository = "me/mine"', 'path = "mine"')
        .replace('path = "rows.csv"', file)
        for name, file in (
            ("json", 'path = "r.json"'),
            ("jsonl", 'path = "r.jsonl"'),
            ("ndjson", 'path = "r.ndjson"'),
            ("text", 'path = "r.txt"\nformat = "jsonl"'),
            ("csv", 'path = "r.CSV"'),
            ("parquet", 'path = "r.parquet"'),
        )
    ]
    (tmp_path / "my.toml").write_text("".join(entries))
    return load_catalog([tmp_path / "my.toml"])


def test_own_sources_follow_the_seven_and_any_format_gives_the_same(
    own: Catalog, tmp_path: Path
) -> None:
    assert own.names == (*SEVEN, "json", "jsonl", "ndjson", "text", "csv", "parquet")
    for name in own.names[len(SEVEN) :]:
        source = own[name]
        assert source.path == str(tmp_path / "mine")
        records = kept(adapt_file(source, Path(source.path)))
        assert [record[:3] for record in records] == [(0, "one", "1"), (1, "two", "NA")]


def test_every_face_has_words_for_every_commercial_use() -> None:
    uses = list(get_args(Commercial))
    assert list(cards._COMMERCIAL) == uses
    assert list(html._COMMERCIAL) == uses
