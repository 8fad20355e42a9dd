"""Formats on offer: what each would hold is what a prepare of it holds, and how each stands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sample_numbers import ANSWERED

from mindcorpus import Settings, merge_all_datasets, prepare_for
from mindcorpus.api import formats
from mindcorpus.errors import SettingsError
from mindcorpus.formats.registry import FORMATS, FormatEntry, register, remove
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.offer import Offer
from mindcorpus.preparing.standing import standings
from mindcorpus.storage.store import Store

_PAIRS = """
from mindcorpus.formats.base import PAIRS
from mindcorpus.formats.chat import Chat

class Pairs(Chat):
    sections = (PAIRS,)

FORMAT = Pairs
"""


def offered(folder: Path) -> dict[str, Offer]:
    """List the formats of a data folder, by name."""
    return {offer.name: offer for offer in formats(folder)}


def pairs_of(folder: Path) -> int:
    """Count the records with a response and a rejected one."""
    text = Store(folder).path("corpus").read_text("utf-8")
    return sum(bool(each["response"] and each["rejected_response"]) for each in json.loads(text))


@pytest.fixture
def folder(made_sample: Path, tmp_path: Path) -> Path:
    """A data folder with the sample and the formats of the guide, to be changed."""
    return shutil.copytree(made_sample, tmp_path / "data", symlinks=True)


def test_what_a_format_would_hold_is_what_it_holds(folder: Path) -> None:
    for name, offer in offered(folder).items():
        if offer.rows:
            assert prepare_for(name, folder, force=True).rows == offer.rows
            assert offered(folder)[name].exists


def test_formats_of_pairs_are_counted_and_broken_ones_listed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_pairs.py").write_text(_PAIRS)
    monkeypatch.syspath_prepend(tmp_path)
    own = [
        FormatEntry(name, name, "Pairs.", f"own_{name}", "use {path}", suffix="", module=module)
        for name, module in (("own", "own_pairs"), ("broken", "no_such_module"))
    ]
    for entry in own:
        register(entry)
    try:
        found = offered(folder)
    finally:
        for entry in own:
            remove(entry)
    pairs = pairs_of(folder)
    (section,) = found["own"].sections
    assert (section.takes, section.rows, found["own"].rows) == ("pairs", pairs, pairs)
    assert (found["broken"].rows, found["broken"].sections) == (None, ())


def test_snippets_name_the_folder_that_was_asked_about(folder: Path) -> None:
    assert f'load_dataset("{folder}/mental_health_chat")' in offered(folder)["chat"].snippet


def test_without_a_corpus_nothing_is_counted(tmp_path: Path) -> None:
    assert {offer.rows for offer in formats(tmp_path / "none")} == {None}


def test_a_damaged_format_is_listed_as_such(folder: Path) -> None:
    (folder / "artifacts" / "openai" / "manifest.json").write_text("{")
    offer = offered(folder)["openai"]
    assert (offer.exists, offer.damaged, offer.rows) == (True, True, ANSWERED)
    store, settings = Store(folder), Settings(data_dir=folder)
    found = standings(store, PrepareRequest(), settings, ["openai", "huggingface", "chat"])
    assert [each.state for each in found.values()] == ["damaged", "up-to-date", "missing"]


def test_a_format_that_keeps_its_settings_is_due_and_another_differs(folder: Path) -> None:
    prepare_for("openai", folder, caps={"Psych-101": 3}, force=True)
    store, settings = Store(folder), Settings(data_dir=folder)
    merge_all_datasets(folder, sample=True, exclude=["TRACE"], force=True)
    (plain,) = standings(store, PrepareRequest(), settings, ["openai"]).values()
    assert (plain.state, plain.outdated_by) == ("outdated", "corpus-changed")
    assert plain.request.caps == {"Psych-101": 3}
    asked = PrepareRequest(caps={"Psych-101": 2})
    (other,) = standings(store, asked, settings, ["openai"]).values()
    assert (other.state, [str(each) for each in other.differences]) == (
        "differs",
        ["caps: Psych-101=3 -> Psych-101=2"],
    )


def test_a_merge_tells_which_exports_hold_sources_that_are_gone(folder: Path) -> None:
    assert merge_all_datasets(folder, sample=True, force=True).exports_holding == {}
    prepare_for("huggingface", folder, exclude=["TRACE"], force=True)
    merged = merge_all_datasets(folder, sample=True, exclude=["TRACE", "RedditESS"], force=True)
    assert merged.exports_holding == {
        "openai": ["RedditESS", "TRACE"],
        "huggingface": ["RedditESS"],
    }


def test_every_format_can_be_named(folder: Path) -> None:
    assert list(offered(folder)) == list(FORMATS)
    with pytest.raises(SettingsError):
        prepare_for("no-such-format", folder)
