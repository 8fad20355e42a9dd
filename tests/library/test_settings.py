"""Settings: from arguments and `MINDCORPUS_…` variables, and what is said of wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from mindcorpus.errors import SettingsError
from mindcorpus.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("MINDCORPUS_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("name", ["MINDCORPUS_SEED", "mindcorpus_seed", "Mindcorpus_Seed"])
def test_a_variable_may_be_written_in_letters_of_any_size(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "7")
    assert Settings().seed == 7
    assert Settings.model_validate({}).seed == 7


def test_what_is_given_comes_before_variables_and_these_before_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINDCORPUS_DATA_DIR", "of-the-variable")
    monkeypatch.setenv("MINDCORPUS_KEEP_BUILDS", "3")
    settings = Settings.load(data_dir=Path("given"), workers=None)
    assert (settings.data_dir, settings.keep_builds, settings.seed) == (Path("given"), 3, 42)
    assert settings.model_fields_set == {"data_dir", "keep_builds"}
    assert Settings().data_dir == Path("of-the-variable")


def test_a_wrong_variable_does_not_matter_where_another_value_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINDCORPUS_WORKERS", "many")
    assert Settings(workers=2).workers == 2


def test_lists_are_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINDCORPUS_ALLOWED_HOSTS", "Files.example.org,10.0.0.0/8")
    monkeypatch.setenv("MINDCORPUS_SOURCE_FOLDERS", "/data/a,,/data/b")
    monkeypatch.setenv("MINDCORPUS_SOURCE_OWNERS", "")
    settings = Settings()
    assert settings.allowed_hosts == ("files.example.org", "10.0.0.0/8")
    assert settings.source_folders == (Path("/data/a"), Path("/data/b"))
    assert settings.source_owners == ()


def test_variables_of_others_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINDCORPUS_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("SEED", "7")
    assert Settings() == Settings(workers=Settings().workers)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("workers", "0"),
        ("seed", "many"),
        ("seed", ""),
        ("validation_share", "1"),
        ("instruction", ""),
        ("source_folders", "data"),
        ("allowed_hosts", "127.0.0.1:8000"),
    ],
)
def test_a_wrong_value_is_told_with_its_name_and_where_it_may_come_from(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"MINDCORPUS_{name.upper()}", text)
    with pytest.raises(SettingsError, match=f"setting {name}: ") as caught:
        Settings.load()
    assert caught.value.field == name
    assert f"MINDCORPUS_{name.upper()}" in caught.value.hint


def test_settings_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(seed=7)
    monkeypatch.setenv("MINDCORPUS_SEED", "8")
    assert Settings.model_validate(settings) is settings
    assert Settings.model_validate(settings.model_dump()) == settings
    with pytest.raises(ValidationError):
        Settings.model_validate("seed=7")


def test_what_is_no_setting_is_refused_and_none_changes() -> None:
    with pytest.raises(SettingsError, match="setting data: extra inputs are not permitted"):
        Settings.load(data="here")
    with pytest.raises(ValidationError, match="frozen"):
        Settings().seed = 7  # type: ignore[misc]


def test_little_is_done_by_one_process_unless_somebody_says_by_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    little, much = 1_000_000, 100_000_000
    assert Settings().workers_for(little) == 1
    assert Settings().workers_for(much) == Settings().workers
    assert Settings(workers=3).workers_for(little) == 3
    monkeypatch.setenv("MINDCORPUS_WORKERS", "5")
    assert Settings.load().workers_for(little) == 5
    assert Settings.load(workers=2).model_copy(update={"seed": 1}).workers_for(little) == 2
