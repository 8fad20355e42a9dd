"""Entries that were added to a data folder: all who merge into it read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mindcorpus import MergeRequest, Settings, inspect_source, merge, merge_all_datasets
from mindcorpus.errors import CatalogError, ExistsError, MindcorpusError, NotFoundError
from mindcorpus.job_requests import MergeBody
from mindcorpus.merging.choice import choose_sources, with_added
from mindcorpus.merging.distributed import find_files, make_parts
from mindcorpus.merging.distributed_writing import merge_parts
from mindcorpus.merging.shards import SourceFiles
from mindcorpus.progress import Cancellation, silent
from mindcorpus.sources.added import (
    added_names,
    read_added,
    remove_added,
    write_added,
)
from mindcorpus.sources.catalog import Source


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Settings that let sources be read from a folder, `shared`."""
    (tmp_path / "shared").mkdir()
    return settings.model_copy(update={"source_folders": (tmp_path / "shared",), "workers": 1})


def talk(folder: Path, name: str, settings: Settings) -> tuple[Source, str]:
    """Write a file of two rows; give the source that it may be, and its entry."""
    file = folder / f"{name}.jsonl"
    rows = [{"question": f"{name} fragt „was?“ {row}", "answer": "Ça va 🙂."} for row in range(2)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = inspect_source(file, settings=settings)
    assert found.source is not None
    return found.source, found.entry


def add(name: str, settings: Settings) -> Path:
    """Add a source of two rows."""
    return write_added(*talk(settings.source_folders[0], name, settings), settings)


def test_what_was_added_is_merged(settings: Settings) -> None:
    path = add("talks", settings)
    assert path == settings.data_dir / "sources" / "talks.toml"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert added_names(settings.data_dir) == ("talks",)
    result = merge_all_datasets(sample=True, settings=settings)
    assert result.statistics["by_source"]["talks"] == 2
    assert "talks" in [source["name"] for source in result.manifest["sources"]]


def test_without_any_a_request_says_what_it_always_said(settings: Settings) -> None:
    request = with_added(MergeRequest(sample=True), settings)
    assert "added" not in request.lasting()
    assert "added" not in MergeBody.model_fields


def test_the_steps_of_a_merge_see_those_of_its_beginning(settings: Settings) -> None:
    add("first", settings)
    request = with_added(MergeRequest(sources=("first",)), settings)
    everything = with_added(MergeRequest(sample=True), settings)
    add("second", settings)
    assert "second" not in choose_sources(everything, settings).names
    cancel = Cancellation()
    found = find_files(request, "first", settings, silent, cancel)
    assert isinstance(found, SourceFiles)
    make_parts(request, found, found.shards, settings, silent, cancel)
    outcomes: dict[str, SourceFiles | MindcorpusError | None] = {"first": found}
    result = merge_parts(request, outcomes, settings, silent, cancel)
    assert result.statistics["records"] == 2


def test_a_file_that_is_wrong_is_named_and_the_others_can_be_merged(settings: Settings) -> None:
    add("right", settings)
    wrong = settings.data_dir / "sources" / "wrong.toml"
    for text, words in (
        ("not toml", "not TOML"),
        ("[[source]]\nname = 'wrong'", "entry wrong"),
        (add("other", settings).read_text("utf-8"), "one entry, called wrong"),
    ):
        wrong.write_text(text)
        with pytest.raises(CatalogError, match=words) as caught:
            merge_all_datasets(sample=True, settings=settings)
        assert caught.value.file == "sources/wrong.toml"
        assert "without it" in caught.value.advice
        remove_added("other", settings.data_dir)
        add("other", settings)
    wrong.write_bytes(b"\xff")
    result = merge_all_datasets(sources=["right"], settings=settings)
    assert result.statistics["records"] == 2
    result = merge_all_datasets(sample=True, exclude=["wrong"], settings=settings, force=True)
    assert {"right", "other"} <= set(result.statistics["by_source"])
    assert set(read_added(settings.data_dir).broken) == {"wrong"}


def test_no_entry_takes_the_place_of_another(settings: Settings) -> None:
    add("talks", settings)
    source, text = talk(settings.source_folders[0], "talks", settings)
    with pytest.raises(ExistsError, match="talks was added before"):
        write_added(source, text, settings)
    changed = text.replace('type = "conversation"', 'type = "other"')
    write_added(source.model_copy(update={"type": "other"}), changed, settings, replace=True)
    assert read_added(settings.data_dir).sources["talks"].type == "other"
    with pytest.raises(CatalogError, match="taken"):
        write_added(
            source.model_copy(update={"name": "TRACE"}), text.replace("talks", "TRACE"), settings
        )
    assert [file.name for file in (settings.data_dir / "sources").iterdir()] == ["talks.toml"]


def test_one_that_is_removed_is_gone(settings: Settings) -> None:
    path = add("talks", settings)
    for name in ("../talks", "nothing", "", "sources/talks"):
        with pytest.raises(NotFoundError):
            remove_added(name, settings.data_dir)
    remove_added("talks", settings.data_dir)
    assert not path.exists()
    assert added_names(settings.data_dir) == ()


def test_a_link_that_turns_up_later_leads_no_merge_out_of_the_folders(
    settings: Settings, tmp_path: Path
) -> None:
    add("talks", settings)
    file = settings.source_folders[0] / "talks.jsonl"
    secret = tmp_path / "secret.jsonl"
    file.rename(secret)
    file.symlink_to(secret)
    with pytest.raises(MindcorpusError, match="in no folder that sources may be read from"):
        merge(MergeRequest(sources=("talks",)), settings)
    open_ = settings.model_copy(update={"source_folders": (tmp_path,)})
    assert merge(MergeRequest(sources=("talks",)), open_).statistics["records"] == 2


def test_an_entry_of_a_catalogue_of_ones_own_is_read_from_anywhere(
    settings: Settings, tmp_path: Path
) -> None:
    _, text = talk(tmp_path, "mine", settings)
    (tmp_path / "my.toml").write_text(text, "utf-8")
    result = merge_all_datasets(
        catalogs=[tmp_path / "my.toml"], sources=["mine"], settings=settings
    )
    assert result.statistics["records"] == 2
