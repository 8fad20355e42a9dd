"""The tokens file and the commands that change it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mindcorpus.errors import SettingsError
from web.__main__ import main
from web.access import tokens as module
from web.access.tokens import READY, TokenFile
from web.settings import WebSettings

READY_TOKEN = "a ready token, long enough"


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "service" / "tokens.json")


def test_a_new_token_is_known_by_its_hash_alone(tokens: TokenFile) -> None:
    text = tokens.new("laptop", ("write", "read"))
    assert text.startswith("mc_")
    assert len(text) == 3 + 43  # 32 bytes
    assert text[3:] not in tokens.path.read_text()
    found = tokens.verify(text)
    assert found is not None
    assert (found.name, found.scopes) == ("laptop", ("read", "write"))


def test_every_token_is_looked_at_whichever_is_presented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def compare(known: str, presented: str) -> bool:
        looked.append(known)
        return hmac.compare_digest(known, presented)

    monkeypatch.setattr(module, "hmac", SimpleNamespace(compare_digest=compare))
    tokens = TokenFile(tmp_path / "tokens.json", READY_TOKEN)
    made = [tokens.new(name) for name in ("first", "second", "last")]
    known = [hashlib.sha256(text.encode()).hexdigest() for text in (*made, READY_TOKEN)]
    names = dict(zip((*made, READY_TOKEN), ("first", "second", "last", READY), strict=True))
    for text in (*names, "none of them"):
        looked.clear()
        found = tokens.verify(text)
        assert (found.name if found else None) == names.get(text)
        # How long it takes tells neither whether there is such a token nor where it stands.
        assert looked == known


def test_only_the_owner_reads_the_file(tokens: TokenFile) -> None:
    tokens.new("laptop")
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens.path.parent.stat().st_mode) == 0o700
    assert {path.name for path in tokens.path.parent.iterdir()} == {
        "tokens.json",
        "tokens.json.lock",
    }


@pytest.mark.parametrize("text", ["", "mc_", "mc_" + "A" * 43, "\udce4", "ä", "x" * 100_000])
def test_what_is_no_token_opens_nothing(tokens: TokenFile, text: str) -> None:
    assert tokens.verify(text) is None
    tokens.new("laptop")
    assert tokens.verify(text) is None


def test_without_a_file_no_token_is_valid(tokens: TokenFile) -> None:
    text = tokens.new("laptop")
    tokens.path.unlink()
    assert tokens.verify(text) is None
    assert tokens.list() == ()


def test_revoking_works_at_once_in_every_process(tokens: TokenFile) -> None:
    kept, gone = tokens.new("kept"), tokens.new("gone")
    server = TokenFile(tokens.path)
    assert server.verify(gone) is not None
    tokens.revoke("gone")
    assert server.verify(gone) is None
    assert server.verify(kept) is not None
    again = tokens.new("gone")
    assert server.verify(again) is not None
    assert server.verify(gone) is None


def test_a_changed_file_is_read_again_though_its_size_is_the_same(tokens: TokenFile) -> None:
    text = tokens.new("aaa")
    assert tokens.verify(text) is not None
    document = json.loads(tokens.path.read_text())
    document["tokens"][0]["sha256"] = "0" * 64
    tokens.path.write_text(json.dumps(document, indent=2))
    assert tokens.verify(text) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tokens": [{"name": "a"}]}', "\x00\xff"])
def test_a_broken_file_opens_nothing_and_is_told_without_its_content(
    tokens: TokenFile, content: str
) -> None:
    text = tokens.new("laptop")
    tokens.path.write_text(content)
    assert tokens.verify(text) is None
    with pytest.raises(SettingsError) as caught:
        tokens.new("other")
    assert str(tokens.path) in str(caught.value)
    assert caught.value.hint
    assert tokens.path.read_text() == content


def test_the_ready_token_is_valid_beside_those_of_the_file(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "tokens.json", READY_TOKEN)
    found = tokens.verify(READY_TOKEN)
    assert found is not None
    assert (found.name, found.scopes) == (READY, ("read", "write"))
    assert tokens.verify(tokens.new("laptop")) is not None
    with pytest.raises(SettingsError):
        tokens.new(READY)


def test_an_empty_ready_token_is_none_and_a_short_one_is_refused() -> None:
    assert WebSettings.model_validate({"token": ""}).token is None
    with pytest.raises(SettingsError, match="token") as caught:
        WebSettings.load(token="guessable")
    assert "guessable" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "A", "a b", "a\n", "../a", "-a", "a" * 65, "ä"])
def test_names_are_plain(tokens: TokenFile, name: str) -> None:
    with pytest.raises(SettingsError, match="name"):
        tokens.new(name)


def test_names_are_unique_and_revoking_needs_one_that_is_there(tokens: TokenFile) -> None:
    tokens.new("laptop")
    with pytest.raises(SettingsError, match="already"):
        tokens.new("laptop")
    with pytest.raises(SettingsError, match="no token"):
        tokens.revoke("phone")
    assert [token.name for token in tokens.list()] == ["laptop"]


def test_tokens_made_at_the_same_time_are_all_kept(tokens: TokenFile) -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda n=number: made.append(tokens.new(f"token{n}")))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens.list()) == 12
    assert all(TokenFile(tokens.path).verify(text) for text in made)


def test_commands_make_list_and_revoke(tmp_path: Path) -> None:
    runner = CliRunner(env={"MINDCORPUS_STATE_DIR": str(tmp_path), "MINDCORPUS_TOKENS_FILE": None})
    made = runner.invoke(
        main, ["token", "new", "--name", "ci", "--scope", "read", "--scope", "write"]
    )
    assert made.exit_code == 0
    text = made.stdout.strip()
    tokens = TokenFile(tmp_path / "tokens.json")
    assert tokens.verify(text) is not None
    listed = runner.invoke(main, ["token", "list"])
    assert re.fullmatch(
        "name\tscopes\tmade\texpires\tlast used\nci\tread,write\t20\\S+\tnever\tnever\n",
        listed.stdout,
    )
    assert text not in listed.output
    assert runner.invoke(main, ["token", "revoke", "ci"]).exit_code == 0
    assert tokens.verify(text) is None


def test_a_token_may_only_read_unless_more_is_said(tmp_path: Path) -> None:
    runner = CliRunner(env={"MINDCORPUS_STATE_DIR": str(tmp_path), "MINDCORPUS_TOKENS_FILE": None})
    assert runner.invoke(main, ["token", "new", "--name", "eyes"]).exit_code == 0
    assert TokenFile(tmp_path / "tokens.json").list()[0].scopes == ("read",)


@pytest.mark.parametrize(
    ("when", "seconds"),
    [("30d", 30 * 86400), ("12h", 43200), ("90m", 5400)],
)
def test_a_token_may_end(tmp_path: Path, when: str, seconds: int) -> None:
    runner = CliRunner(env={"MINDCORPUS_STATE_DIR": str(tmp_path), "MINDCORPUS_TOKENS_FILE": None})
    made = runner.invoke(main, ["token", "new", "--name", "ci", "--expires", when])
    assert made.exit_code == 0
    tokens = TokenFile(tmp_path / "tokens.json")
    (token,) = tokens.list()
    assert token.expires is not None
    assert abs((token.expires - datetime.now(UTC)).total_seconds() - seconds) < 30
    assert tokens.verify(made.stdout.strip()) == token
    assert token.expires.isoformat() in runner.invoke(main, ["token", "list"]).stdout


def test_an_end_is_a_day_or_a_moment(tmp_path: Path) -> None:
    runner = CliRunner(env={"MINDCORPUS_STATE_DIR": str(tmp_path), "MINDCORPUS_TOKENS_FILE": None})
    for name, when in (("day", "2999-01-31"), ("moment", "2999-01-31T02:00:00+02:00")):
        made = runner.invoke(main, ["token", "new", "--name", name, "--expires", when])
        assert made.exit_code == 0, made.stderr
    tokens = TokenFile(tmp_path / "tokens.json").list()
    assert {token.expires for token in tokens} == {datetime(2999, 1, 31, tzinfo=UTC)}


@pytest.mark.parametrize("when", ["", "soon", "0d", "-1d", "30", "2020-01-01", "2027-13-01", "1w"])
def test_what_is_no_time_ahead_makes_no_token(tmp_path: Path, when: str) -> None:
    runner = CliRunner(env={"MINDCORPUS_STATE_DIR": str(tmp_path), "MINDCORPUS_TOKENS_FILE": None})
    refused = runner.invoke(main, ["token", "new", "--name", "ci", f"--expires={when}"])
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "field expires" in refused.stderr
    assert TokenFile(tmp_path / "tokens.json").list() == ()


def test_a_file_without_ends_is_one_that_the_version_before_reads(tokens: TokenFile) -> None:
    tokens.new("laptop")
    (kept,) = json.loads(tokens.path.read_text())["tokens"]
    assert sorted(kept) == ["created", "name", "scopes", "sha256"]


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("reed", "there is no scope 'reed'"),
        ("", "there is no scope ''"),
        ("read:", "'' is no name of a corpus"),
        ("read:Default", "'Default' is no name of a corpus"),
        ("read:a:b", "'a:b' is no name of a corpus"),
        ("read,write", "there is no scope 'read,write'"),
    ],
)
def test_what_is_no_scope_is_told_and_makes_no_token(tmp_path: Path, scope: str, said: str) -> None:
    runner = CliRunner(env={"MINDCORPUS_STATE_DIR": str(tmp_path), "MINDCORPUS_TOKENS_FILE": None})
    refused = runner.invoke(main, ["token", "new", "--name", "ci", "--scope", scope])
    assert refused.exit_code == 3
    assert said in refused.stderr
    assert TokenFile(tmp_path / "tokens.json").list() == ()


def test_scopes_of_named_corpora_are_kept_in_order(tokens: TokenFile) -> None:
    tokens.new("ci", ("admin", "write:b", "read", "write:a", "read"))
    assert tokens.list()[0].scopes == ("read", "write:a", "write:b", "admin")


def test_commands_tell_errors_in_two_lines(tmp_path: Path) -> None:
    runner = CliRunner(env={"MINDCORPUS_STATE_DIR": str(tmp_path), "MINDCORPUS_TOKENS_FILE": None})
    refused = runner.invoke(main, ["token", "revoke", "nobody"])
    assert refused.exit_code == 3
    assert refused.stderr.splitlines() == [
        "Error: there is no token named nobody (field name)",
        "See `token list`.",
    ]
