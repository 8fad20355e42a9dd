"""Formats that are outdated are made anew as they were; all others stay until somebody says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from corpora import digests, merge_own, own_rows, read_parquet

from mindcorpus.errors import ExistsError, SettingsError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

SETTINGS: dict[str, Any] = {
    "sources": ("one", "two"),
    "tags": ("own", "other"),
    "min_words": 2,
    "max_words": 90,
    "caps": {"one": 30},
    "mix": {"two": 2.0},
    "instruction": "Say yes.",
    "system_prompt": "Be kind.",
    "system_policy": "replace",
}


def rows(name: str, count: int) -> list[dict[str, str]]:
    return [{"q": f"{name} asks {n}", "a": f"{name} answers {n}"} for n in range(count)]


def merge(folder: Path, *names: str, count: int = 40, **request: Any) -> None:
    tags = {"one": ["own"], "two": ["other"], "three": ["third"]}
    files = [own_rows(folder / "own", name, rows(name, count), tags=tags[name]) for name in names]
    merge_own(folder, *files, **request)


def make(folder: Path, *names: str, **request: Any) -> dict[str, PrepareResult]:
    asked = PrepareRequest(formats=names, **request)
    return prepare(asked, Settings(data_dir=folder, workers=1))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three formats of a corpus of two sources, all of them up to date."""
    merge(tmp_path, "one", "two")
    make(tmp_path, "openai", "huggingface", "chat")
    return tmp_path


def outdated(folder: Path) -> dict[str, str | None]:
    status = Store(folder).status()
    for entry in status.values():
        assert entry.get("outdated", False) == (entry.get("outdated_by") is not None)
    return {name: entry["outdated_by"] for name, entry in status.items() if "outdated_by" in entry}


def builds(folder: Path) -> dict[str, str]:
    return {name: entry["build"] for name, entry in Store(folder).status().items()}


def refused(folder: Path, match: str, *names: str, **request: Any) -> ExistsError:
    """Check that a prepare is refused, and that nothing came of it."""
    before = digests(folder / "artifacts")
    with pytest.raises(ExistsError, match=match) as caught:
        make(folder, *names, **request)
    assert digests(folder / "artifacts") == before
    assert list((folder / "staging").iterdir()) == []
    return caught.value


def test_what_is_up_to_date_stays(data: Path) -> None:
    assert outdated(data) == {"openai": None, "huggingface": None, "chat": None}
    assert verify(data) == []
    refused(data, "mental_health_openai.jsonl exists", "openai")
    refused(data, "exists", "openai", "huggingface", "chat")


def test_another_corpus_makes_all_formats_outdated_and_a_plain_prepare_anew(data: Path) -> None:
    merge(data, "one", "two", "three", force=True)
    assert set(outdated(data).values()) == {"corpus-changed"}
    problems = {each["kind"]: each["problem"] for each in verify(data)}
    assert problems.keys() == {"openai", "huggingface", "chat"}
    assert "made from another corpus" in problems["openai"]
    results = make(data, "openai", "huggingface", "chat")
    assert {result.rows for result in results.values()} == {120}
    assert set(outdated(data).values()) == {None}
    assert verify(data) == []
    assert Store(data).manifest("split")["rows"] == 120


def test_what_is_made_anew_has_the_settings_of_its_own_manifest(data: Path) -> None:
    make(data, "openai", "huggingface", force=True, **SETTINGS)
    before = {name: Store(data).manifest(name) for name in ("openai", "huggingface", "chat")}
    merge(data, "one", "two", count=50, force=True)
    results = make(data, "openai", "huggingface", "chat")
    for name, result in results.items():
        assert result.manifest["settings"] == before[name]["settings"]
        assert result.manifest["split_id"] != before[name]["split_id"]
    assert results["openai"].manifest["settings"] == {
        **{name: [*value] if isinstance(value, tuple) else value
           for name, value in SETTINGS.items() if name != "instruction"},
        "exclude": [],
        "types": [],
    }  # fmt: skip
    assert results["chat"].rows == 100
    assert results["openai"].skipped["over-cap"] == 20
    assert results["openai"].repeats.keys() == {"two"}
    (first, *_) = results["openai"].path.read_text("utf-8").splitlines()
    assert json.loads(first)["messages"][0]["content"] == "Be kind."


def test_a_split_of_settings_of_its_own_outlives_its_corpus(data: Path) -> None:
    make(data, "chat", force=True, seed=9, validation_share=0.25, test_share=0.25, folds=3)
    merge(data, "one", "two", count=50, force=True)
    result = make(data, "chat")["chat"]
    assert result.split is not None
    assert {name: part["rows"] for name, part in result.split["parts"].items()} == {
        "train": 50,
        "validation": 25,
        "test": 25,
    }
    assert Store(data).manifest("split")["settings"] == {
        "seed": 9,
        "validation_share": 0.25,
        "test_share": 0.25,
        "folds": 3,
    }


def test_another_split_makes_the_others_outdated(data: Path) -> None:
    before = builds(data)
    make(data, "chat", force=True, seed=7)
    assert outdated(data) == {
        "openai": "split-changed",
        "huggingface": "split-changed",
        "chat": None,
    }
    assert {each["kind"] for each in verify(data)} == {"openai", "huggingface"}
    between, split = builds(data), Store(data).manifest("split")
    results = make(data, "openai", "huggingface", "chat")
    assert set(results) == {"openai", "huggingface", "chat"}
    after = builds(data)
    assert set(outdated(data).values()) == {None}
    assert verify(data) == []
    # What was up to date was not made again.
    assert before["chat"] != between["chat"] == after["chat"]
    assert between["huggingface"] != after["huggingface"]
    assert Store(data).manifest("split")["id"] == split["id"]


def test_another_split_needs_to_be_said_where_formats_obey_one(data: Path) -> None:
    for asked in ({"seed": 7}, {"validation_share": 0.5}, {"test_share": 0.1}, {"folds": 5}):
        error = refused(data, "the corpus is split already|exist", "sharegpt", **asked)
        assert "openai" in str(error)
    refused(data, "the corpus is split already", "openai", seed=7)
    # The split that is there may be asked for by its name.
    make(data, "sharegpt", seed=42, validation_share=0.2, test_share=0.0, folds=0)


def test_another_split_of_a_corpus_without_formats_is_nobody_s_loss(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    make(tmp_path, "openai", seed=3, folds=2)
    assert Store(tmp_path).manifest("split")["settings"]["folds"] == 2


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"min_words": 2}, "min_words: none -> 2"),
        ({"sources": ("one",)}, "sources: none -> one"),
        ({"mix": {"one": 0.5}}, "mix: none -> one=0.5"),
        ({"caps": {"one": 3}, "exclude": ("two",)}, "exclude: none -> two"),
        ({"system_prompt": "Be kind."}, "system_prompt: You are .* -> Be kind"),
    ],
)
def test_other_settings_are_refused_with_the_difference(
    request_: dict[str, Any], told: str, data: Path
) -> None:
    refused(data, told, "openai", **request_)
    # Also where it is outdated: what it was made with is not thrown away unsaid.
    merge(data, "one", "two", count=50, force=True)
    refused(data, told, "openai", **request_)
    assert (
        make(data, "openai", force=True, **request_)["openai"].manifest["settings"].items()
        >= {
            name: [*value] if isinstance(value, tuple) else value
            for name, value in request_.items()
        }.items()
    )


def test_settings_that_shape_another_format_are_no_difference(data: Path) -> None:
    refused(data, r"mental_health_openai.jsonl exists \(file", "openai", instruction="Say yes.")
    refused(data, "instruction: .* -> Say yes", "huggingface", instruction="Say yes.")


def test_a_file_that_was_edited_is_not_replaced_unsaid(data: Path) -> None:
    path = data / "mental_health_openai.jsonl"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"answers 3", b"answers X", 1))
    edited = path.read_bytes()
    merge(data, "one", "two", count=50, force=True)
    refused(data, "mental_health_openai.jsonl was changed since it was made", "openai")
    refused(data, "was changed since it was made", "openai", "huggingface", "chat")
    assert path.read_bytes() == edited
    # The others are made when asked for by name, and it is when somebody says so.
    make(data, "huggingface", "chat")
    make(data, "openai", force=True)
    assert verify(data) == []


@pytest.mark.parametrize("name", ["train.jsonl", "README.md"])
def test_whatever_file_of_a_folder_was_edited_keeps_it(name: str, data: Path) -> None:
    path = data / "mental_health_chat" / name
    with path.open("a", encoding="utf-8") as file:
        file.write("mine\n")
    merge(data, "one", "two", count=50, force=True)
    refused(data, f"was changed since it was made: .*{name}", "chat")


def test_a_format_that_holds_a_source_which_is_gone_is_made_without_it(data: Path) -> None:
    merge(data, "one", force=True)
    results = make(data, "openai", "chat")
    assert all(result.rows == 40 for result in results.values())
    assert b"two answers" not in results["openai"].path.read_bytes()


def test_settings_of_before_may_name_a_source_which_is_gone_and_keep_it(data: Path) -> None:
    own: dict[str, Any] = {
        "caps": {"two": 5, "one": 30},
        "mix": {"two": 2.0},
        "exclude": ("three",),
    }
    merge(data, "one", "two", "three", force=True)
    make(data, "openai", force=True, **own)
    settings = Store(data).manifest("openai")["settings"]
    merge(data, "one", force=True)
    # What is asked for anew must be there; what it was made with was there once.
    with pytest.raises(SettingsError, match="the corpus holds no source 'two'"):
        make(data, "chat", force=True, caps={"two": 5})
    assert make(data, "openai")["openai"].rows == 30
    assert Store(data).manifest("openai")["settings"] == settings
    # It came back, and so does what was said of it.
    merge(data, "one", "two", "three", force=True)
    kept = {
        each["name"]: each["kept"] for each in make(data, "openai")["openai"].manifest["sources"]
    }
    assert kept == {"one": 30, "two": 5, "three": 0}
    merge(data, "three", force=True)
    with pytest.raises(SettingsError, match="no record is left"):
        make(data, "openai")


def test_a_format_of_a_release_without_splits_is_outdated_once_there_is_one(data: Path) -> None:
    for kind in ("openai", "huggingface", "chat"):
        path = data / "artifacts" / kind / "manifest.json"
        manifest = json.loads(path.read_text("utf-8"))
        del manifest["split_id"]
        manifest["settings"] |= {"seed": 42, "validation_share": 0.2}
        path.write_text(json.dumps(manifest), "utf-8")
    (data / "artifacts/split").unlink()
    assert set(outdated(data).values()) == {None}
    refused(data, "exists", "openai")
    make(data, "sharegpt")
    found = outdated(data)
    assert found.pop("sharegpt") is None
    assert set(found.values()) == {"split-changed"}
    make(data, "openai", "huggingface", "chat")
    assert set(outdated(data).values()) == {None}


def test_a_damaged_split_is_decided_anew_and_the_same(data: Path) -> None:
    path = data / "artifacts/split/split.parquet"
    before = path.read_bytes()
    path.write_bytes(before[:100])
    assert [each["kind"] for each in verify(data)] == ["split"]
    make(data, "sharegpt")
    assert (data / "artifacts/split/split.parquet").read_bytes() == before
    assert set(outdated(data).values()) == {None}
    assert verify(data) == []


def test_merging_the_same_again_makes_nothing_outdated(data: Path) -> None:
    merge(data, "one", "two", force=True)
    assert set(outdated(data).values()) == {None}
    assert len(read_parquet(data / "merged_mental_health_dataset.parquet")) == 80
