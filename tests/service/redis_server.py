"""A Redis server of a test's own: started, stopped, killed, paused and started again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from web.local.redis_server import _bundled

_PATIENCE = 15.0


def find_binary() -> str | None:
    """Give the server to run, if one is installed."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


def find_embedded() -> str:
    """Give the server of the extra `local`."""
    found = _bundled()
    assert found is not None, "the extra `local` is not installed"
    return str(found)


@dataclass(frozen=True)
class Certificates:
    """Files for TLS: a server's certificate with its key, and who vouches for it."""

    certificate: Path
    authority: Path


class RedisServer:
    """A server over the data of one folder; its port stays the same over all restarts.

    `more` are further lines of its configuration, `within` is the command that starts it.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        password: str = "only-for-tests",
        *,
        binary: str | None = None,
        host: str = "127.0.0.1",
        certificates: Certificates | None = None,
        more: Sequence[str] = (),
        within: Sequence[str] = (),
    ) -> None:
        binary = binary or find_binary()
        if binary is None:
            raise FileNotFoundError("redis-server")
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._more = more
        self._within = within
        self._certificates = certificates
        self.host = host
        self.port = port
        self.password = password

    @property
    def url(self) -> str:
        """Where clients find it."""
        place = f":{self.password}@{self.host}:{self.port}/0"
        if self._certificates is None:
            return f"redis://{place}"
        return f"rediss://{place}?ssl_ca_certs={self._certificates.authority}"

    @property
    def pid(self) -> int:
        """The process that serves, or served last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, or wake it up; does nothing to one that runs. Returns when it answers."""
        if self._running():
            self.resume()
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        chosen = bool(self.port)
        for _ in range(5):
            self.port = self.port if chosen else _free_port()
            self._process = self._launch()
            if self._answers():
                return
            # Somebody else took the port in the meantime.
            self.kill()
        log = (self._folder / "log").read_text()
        raise RuntimeError(f"redis-server does not start:\n{log[-2000:]}")

    def stop(self) -> None:
        """Shut it down in an orderly way."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again over what it had written."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._send(signal.SIGCONT)

    def flush(self) -> None:
        """Forget all keys and scripts."""
        with self.client() as client:
            client.flushall()
            client.script_flush()

    def client(self) -> redis.Redis:
        """Give a client of the test's own."""
        return redis.Redis.from_url(
            self.url, decode_responses=True, socket_timeout=5, retry=Retry(NoBackoff(), 0)
        )

    def _launch(self) -> subprocess.Popen[bytes]:
        config = self._folder / "redis.conf"
        config.touch(mode=0o600)
        config.write_text("\n".join([*self._lines(), *self._more, ""]))
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*self._within, self._binary, str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests
            )

    def _lines(self) -> list[str]:
        return [
            f"bind {self.host}",
            f"requirepass {self.password}",
            f"dir {self._folder}",
            "appendonly yes",
            "appendfsync everysec",
            "maxmemory-policy noeviction",
            'save ""',
            *self._ports(),
        ]

    def _ports(self) -> list[str]:
        if self._certificates is None:
            return [f"port {self.port}"]
        return [
            "port 0",
            f"tls-port {self.port}",
            f"tls-cert-file {self._certificates.certificate}",
            f"tls-key-file {self._certificates.certificate}",
            f"tls-ca-cert-file {self._certificates.authority}",
            "tls-auth-clients no",
            "tls-replication yes",
        ]

    def _answers(self) -> bool:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self._running():
            try:
                with self.client() as client:
                    client.ping()
            except RedisError:
                time.sleep(0.02)
            else:
                return self._running()
        return False

    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._running():
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._send(number)
        self.resume()
        self._process.wait(_PATIENCE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
