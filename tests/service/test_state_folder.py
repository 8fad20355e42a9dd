"""Keys apart from data: who has all of the data folder has nothing that opens the service."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from running import Service

from mindcorpus.errors import SettingsError
from web.access.private_files import KeyFile
from web.access.state_folder import prepare_state
from web.access.tokens import TokenFile
from web.settings import WebSettings

OLD_TOKEN = "mc_a-token-from-before-the-state-folder"


def forged(folder: Path) -> Iterator[str]:
    """Make each session that the files of a folder allow: of every key, name and hash there."""
    contents = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    keys = [content for content in contents if len(content) == 32]
    said = f"{int(time.time())}~{int(time.time())}~{'0' * 32}"
    for content in contents:
        text = content.decode(errors="replace")
        for name in re.findall(r'"name": ?"([^"]+)"', text):
            for sha256 in re.findall(r'"([0-9a-f]{64})"', text):
                for key in keys:
                    signed = f"{name}~{said}~{sha256}".encode()
                    yield f"{name}~{said}~{hmac.new(key, signed, 'sha256').hexdigest()}"


def opens(service: Service, cookie: str) -> bool:
    """Whether a cookie is a session that may change something."""
    answer = httpx2.post(
        f"{service.url}/api/ai/data/merge",
        headers={"Cookie": f"mindcorpus_session={cookie}", "Sec-Fetch-Site": "same-origin"},
        json={"sample": True},
        timeout=30,
    )
    assert answer.status_code in (202, 401)
    return answer.status_code == 202


def sign_in(service: Service, token: str) -> httpx2.Response:
    return httpx2.post(
        f"{service.url}/sign-in",
        data={"token": token},
        headers={"Sec-Fetch-Site": "same-origin"},
        timeout=30,
    )


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in [folder, *folder.rglob("*")]
    }


def test_no_session_is_forged_with_what_the_data_folder_holds(
    tmp_path: Path, redis_url: str
) -> None:
    first, second = Service(tmp_path, redis_url), Service(tmp_path, redis_url)
    old = first.data_dir / ".service"
    old.mkdir(parents=True)
    # As the version before kept them, and a copy of all of it, as backups have.
    token = {
        "name": "laptop",
        "sha256": hashlib.sha256(OLD_TOKEN.encode()).hexdigest(),
        "scopes": ["write"],
        "created": "2026-01-01T00:00:00Z",
    }
    (old / "tokens.json").write_text(json.dumps({"tokens": [token]}, indent=2))
    (old / "session.key").write_bytes(bytes(range(32)))
    backup = tmp_path / "backup"
    shutil.copytree(first.data_dir, backup)
    try:
        # Two servers find the tokens at the same time; neither loses them.
        for service in (first, second):
            service.begin_web()
        for service in (first, second):
            service.wait_for_web()
            assert sign_in(service, OLD_TOKEN).status_code == 303
            with service.client(OLD_TOKEN) as client:
                assert client.get("/jobs").status_code == 200
        assert first.log().count("The tokens were moved from") == 1
        assert not [file for file in old.iterdir() if "token" in file.name or "key" in file.name]

        state = first.tokens_file.parent
        held = [*forged(first.data_dir), *forged(backup)]
        assert held, "the backup allows to try"
        assert not any(opens(first, cookie) for cookie in held)
        # The trying itself is right: with the state folder it works.
        assert any(opens(first, cookie) for cookie in forged(state))
        folders = {str(path.relative_to(state)) for path in state.rglob("*") if path.is_dir()}
        for name, mode in modes(state).items():
            assert mode == (0o700 if name == "." or name in folders else 0o600), name
    finally:
        first.stop()
        second.stop()


@pytest.fixture
def plain(tmp_path: Path) -> WebSettings:
    return WebSettings(data_dir=tmp_path / "data")


def test_what_turns_up_in_the_data_folder_later_opens_nothing(plain: WebSettings) -> None:
    assert prepare_state(plain) == ()
    planted = plain.data_dir / ".service" / "tokens.json"
    text = TokenFile(planted).new("planted", ("write",))
    assert prepare_state(plain) == ()
    assert TokenFile(plain.tokens_path).verify(text) is None
    assert planted.exists()


def test_moving_that_was_cut_off_goes_on(plain: WebSettings) -> None:
    old = plain.data_dir / ".service" / "tokens.json"
    text = TokenFile(old).new("laptop")
    # Copied, and then the power was cut.
    plain.state_path.mkdir(mode=0o700)
    shutil.copy(old, plain.tokens_path)
    assert prepare_state(plain) == (
        f"The tokens were moved from {old.parent} to {plain.state_path}.",
    )
    assert not old.exists()
    assert TokenFile(plain.tokens_path).verify(text) is not None
    assert prepare_state(plain) == ()


def test_two_files_of_tokens_are_both_kept(plain: WebSettings) -> None:
    old = plain.data_dir / ".service" / "tokens.json"
    TokenFile(old).new("old")
    used = TokenFile(plain.tokens_path).new("used")
    (said,) = prepare_state(plain)
    assert said.startswith("There are two tokens files")
    assert TokenFile(plain.tokens_path).verify(used) is not None
    assert [token.name for token in TokenFile(old).list()] == ["old"]


def test_a_tokens_file_of_ones_own_stays_where_it_is(plain: WebSettings) -> None:
    own = plain.data_dir / ".service" / "tokens.json"
    text = TokenFile(own).new("laptop")
    settings = plain.model_copy(update={"tokens_file": own})
    assert prepare_state(settings) == ()
    assert TokenFile(settings.tokens_path).verify(text) is not None


def test_a_folder_that_others_may_look_into_is_told(plain: WebSettings) -> None:
    plain.state_path.mkdir()
    plain.state_path.chmod(0o750)
    (said,) = prepare_state(plain)
    assert said.endswith(f"chmod -R go= {plain.state_path}")
    assert prepare_state(plain) == (said,)


def test_a_key_that_others_could_read_is_made_anew(tmp_path: Path) -> None:
    key = KeyFile(tmp_path / "key")
    first = key.make()
    assert key.read() == key.make() == first
    key.path.chmod(0o640)
    assert key.read() is None
    assert key.make() != first
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("inside", [".", "state", "a/b"])
def test_a_state_folder_in_the_data_folder_is_refused(plain: WebSettings, inside: str) -> None:
    settings = plain.model_copy(update={"state_dir": plain.data_dir / inside})
    with pytest.raises(SettingsError, match="state_dir") as caught:
        prepare_state(settings)
    assert "MINDCORPUS_STATE_DIR" in caught.value.hint


def test_a_data_folder_without_a_name_has_one_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert WebSettings(data_dir=Path()).state_path == Path(f"{tmp_path}-state")
