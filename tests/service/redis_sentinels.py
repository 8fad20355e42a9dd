"""Three Redis servers, of which Sentinel makes another the master when one dies."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError
from redis_server import Certificates, RedisServer

if TYPE_CHECKING:
    import redis

MASTER = "jobs"
#: Milliseconds after which a silent server counts as dead.
_DOWN = 1000
_WATCHING = "of-the-sentinels"


def find_sentinel() -> str | None:
    """Give the program, if it is installed."""
    return shutil.which("redis-sentinel")


class _Sentinel(RedisServer):
    """One sentinel; it has a password of its own, and keeps what it learns in its configuration."""

    def __init__(
        self, folder: Path, master: RedisServer, certificates: Certificates | None
    ) -> None:
        super().__init__(
            folder, password=_WATCHING, binary=find_sentinel(), certificates=certificates
        )
        self._master = master

    def _lines(self) -> list[str]:
        return [
            f"bind {self.host}",
            f"requirepass {self.password}",
            f"sentinel sentinel-pass {self.password}",
            f"dir {self._folder}",
            f"sentinel monitor {MASTER} {self._master.host} {self._master.port} 2",
            f"sentinel auth-pass {MASTER} {self._master.password}",
            f"sentinel down-after-milliseconds {MASTER} {_DOWN}",
            f"sentinel failover-timeout {MASTER} 6000",
            *self._ports(),
        ]


class Sentinels:
    """A master, its replicas and three sentinels: for clients one Redis."""

    def __init__(
        self, folder: Path, replicas: int = 2, certificates: Certificates | None = None
    ) -> None:
        self._certificates = certificates
        login = "masterauth only-for-tests"
        quick = ("repl-diskless-sync-delay 0", "repl-ping-replica-period 1")
        first = RedisServer(folder / "0", certificates=certificates, more=(login, *quick))
        first.start()
        follow = f"replicaof {first.host} {first.port}"
        others = [
            RedisServer(
                folder / str(number), certificates=certificates, more=(login, *quick, follow)
            )
            for number in range(1, replicas + 1)
        ]
        self._servers = [first, *others]
        self._sentinels = [
            _Sentinel(folder / f"sentinel{number}", first, certificates) for number in range(3)
        ]
        for each in (*others, *self._sentinels):
            each.start()

    @property
    def url(self) -> str:
        """Where clients find whoever is the master."""
        places = ",".join(f"{each.host}:{each.port}" for each in self._sentinels)
        query = f"master={MASTER}&sentinel_password={_WATCHING}"
        if self._certificates is None:
            return f"sentinel://:only-for-tests@{places}/0?{query}"
        query += f"&ssl_ca_certs={self._certificates.authority}"
        return f"sentinels://:only-for-tests@{places}/0?{query}"

    def agreed(self) -> bool:
        """Whether every sentinel knows the others, and replicas that follow the master."""
        for each in self._sentinels:
            with each.client() as client:
                try:
                    master: Any = client.execute_command("SENTINEL", "MASTER", MASTER)
                    replicas: Any = client.execute_command("SENTINEL", "REPLICAS", MASTER)
                except RedisError:
                    return False
            told = _pairs(master)
            if told["flags"] != "master" or told["num-other-sentinels"] != "2":
                return False
            links = [_pairs(replica) for replica in replicas]
            good = [
                one
                for one in links
                if one["flags"] == "slave" and one.get("master-link-status") == "ok"
            ]
            if len(good) < len(self._servers) - 1:
                return False
        return True

    def master(self) -> RedisServer:
        """Give the server that the first sentinel takes for the master."""
        with self._sentinels[0].client() as client:
            told: Any = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return next(each for each in self._servers if each.port == int(told[1]))

    def replicas(self) -> Sequence[RedisServer]:
        """Give the others."""
        master = self.master()
        return [each for each in self._servers if each is not master]

    def client(self) -> redis.Redis:
        """Give a client of the master."""
        return self.master().client()

    def start(self) -> None:
        """Wake up whatever was paused; what is dead stays so."""
        self.resume()

    def pause(self) -> None:
        """Let the master hang."""
        self.master().pause()

    def resume(self) -> None:
        """Let all go on."""
        for each in (*self._servers, *self._sentinels):
            each.resume()

    def kill(self) -> None:
        """End all of them."""
        for each in (*self._sentinels, *self._servers):
            each.kill()


def _pairs(answer: Any) -> dict[str, str]:
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))
