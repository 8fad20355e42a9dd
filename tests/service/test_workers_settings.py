"""The service's settings: from the same variables, with the library's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_origin

import pytest

from mindcorpus.errors import SettingsError
from mindcorpus.settings import Settings
from web.settings import WebSettings
from workers.settings import ServiceSettings

SECRET = "redis://:pass-word@host:1/0"


def test_defaults_are_those_that_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINDCORPUS_REDIS_URL", raising=False)
    settings = ServiceSettings.load()
    assert (settings.lease_seconds, settings.sweep_seconds) == (15, 2)
    assert (settings.max_attempts, settings.max_tries) == (3, 6)
    assert (settings.deadline_seconds, settings.no_progress_seconds) == (18_000, 900)
    assert (settings.queue_limit, settings.disk_floor_mb) == (1000, 512)
    assert settings.data_dir == Path("datasets")


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINDCORPUS_REDIS_URL", SECRET)
    monkeypatch.setenv("MINDCORPUS_LEASE_SECONDS", "3.5")
    monkeypatch.setenv("MINDCORPUS_CATALOGS", json.dumps([str(tmp_path / "own.toml")]))
    settings = ServiceSettings.load()
    assert settings.redis() == SECRET
    assert settings.lease_seconds == 3.5
    assert settings.catalogs == (tmp_path / "own.toml",)
    assert ServiceSettings.load(lease_seconds=9).lease_seconds == 9


LISTS = sorted(
    name
    for name, field in WebSettings.model_fields.items()
    if get_origin(field.annotation) is tuple and name not in Settings.model_fields
)


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_the_service_are_json(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As addresses go: they will do for hosts and paths, too.
    monkeypatch.setenv(f"MINDCORPUS_{name.upper()}", '["10.0.0.1", "10.0.0.2"]')
    if name == "sso_proxies":
        monkeypatch.setenv("MINDCORPUS_SSO_HEADER", "X-User")
        monkeypatch.setenv("MINDCORPUS_SSO_USERS", "users.toml")
    assert tuple(map(str, getattr(WebSettings.load(), name))) == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize("text", ["10.0.0.1", "", "[", "{}", '"10.0.0.1"'])
@pytest.mark.parametrize("name", LISTS)
def test_what_is_no_json_list_is_refused_by_name(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"MINDCORPUS_{name.upper()}", text)
    with pytest.raises(SettingsError, match=f"setting {name}: ") as caught:
        WebSettings.load()
    assert caught.value.field == name


def test_null_for_a_list_is_as_if_it_were_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINDCORPUS_CATALOGS", "null")
    assert "catalogs" not in ServiceSettings.load().model_fields_set


def test_the_password_is_never_shown() -> None:
    settings = ServiceSettings.model_validate({"redis_url": SECRET})
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "pass-word" not in shown


def test_without_a_redis_it_is_said_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINDCORPUS_REDIS_URL", raising=False)
    with pytest.raises(SettingsError) as caught:
        ServiceSettings.load().redis()
    assert "MINDCORPUS_REDIS_URL" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lease_seconds", "0.5"),
        ("max_attempts", "0"),
        ("sweep_seconds", "often"),
        ("memory_limit_mb", "100"),
        # Beyond the visibility time-out a message would be given to a second worker.
        ("deadline_seconds", "30000"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"MINDCORPUS_{name.upper()}", value)
    with pytest.raises(SettingsError, match=name):
        ServiceSettings.load()
