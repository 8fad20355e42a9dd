"""A Redis of our own, for one machine: durable, with a password, reached from here alone."""

from __future__ import annotations

import hashlib
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from mindcorpus.errors import SettingsError, storage_errors
from web.access.private_files import write_private
from web.local.redis_server import Make, RedisServer, choose_server

HOST = "127.0.0.1"
_CONFIG = "redis.conf"
# Below the range from which systems take ports for outgoing connections: nobody else will sit
# on it when Redis has to be started again.
_PORTS = range(20_000, 32_000)
# Every write is in the log before it is answered, and on the disk within a second; nothing is
# ever thrown out to make room. @admin and @dangerous are what could lose or leak everything;
# INFO tells whether all this is so.
_LINES = """\
bind {host}
port {port}
protected-mode yes
user default on #{password} ~* &* +@all -@admin -@dangerous +info
timeout 0
tcp-keepalive 60
databases 1
dir .
appendonly yes
appendfsync everysec
no-appendfsync-on-rewrite no
aof-use-rdb-preamble yes
save ""
maxmemory 256mb
maxmemory-policy noeviction
daemonize no
logfile ""
always-show-logo no
"""


@dataclass(frozen=True)
class LocalRedis:
    """A server, how to start it, and where it will be."""

    server: RedisServer
    folder: Path
    url: SecretStr

    @property
    def command(self) -> tuple[str, ...]:
        """The command that starts it, in its folder."""
        return str(self.server.binary), _CONFIG


def set_up(service: Path, state: Path) -> LocalRedis:
    """Choose a server and write its configuration into the folder of the service.

    Its password is kept in the state folder, which must be there. Raises `SettingsError` if there
    is no server, or none that reads what is there.
    """
    folder = service / "redis"
    with storage_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        mark = folder / "written-by"
        written = Make.parse(mark.read_text()) if mark.exists() else None
        server = choose_server(written)
        # Where it was before, workers and backups had it.
        (folder / "password").unlink(missing_ok=True)
        password = _password(state / "redis-password")
        port = _free_port()
        _write(folder / _CONFIG, _config(port, password))
        _write(mark, f"{server.make}\n")
    return LocalRedis(server, folder, SecretStr(f"redis://:{password}@{HOST}:{port}/0"))


def _config(port: int, password: str) -> str:
    digest = hashlib.sha256(password.encode()).hexdigest()
    return _LINES.format(host=HOST, port=port, password=digest)


def _password(file: Path) -> str:
    """Give the kept password; make one first where there is none."""
    if not file.exists():
        _write(file, secrets.token_urlsafe(32))
    return file.read_text()


def _write(file: Path, text: str) -> None:
    write_private(file, text.encode())


def _free_port() -> int:
    for port in secrets.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind((HOST, port))
            except OSError:
                continue
            return port
    raise SettingsError(
        "there is no free port for Redis", hint="Set MINDCORPUS_REDIS_URL to a Redis that runs."
    )
