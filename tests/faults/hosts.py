"""Hosts that are network namespaces of this machine: each its own address and name, one disk.

`home` has a bridge, to which the others and the tests themselves are wired.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Addresses for benches of networks: nobody routes them.
_NET = "198.18"
_CLOCK = """
import time
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + {seconds}
time.time_ns = lambda: _time_ns() + {seconds} * 10**9
"""


class NoHostsError(Exception):
    """This machine, or this user, cannot have namespaces; it says why."""


@dataclass(frozen=True)
class Host:
    """One host."""

    name: str
    address: str
    namespace: str
    home: str
    plug: str

    @property
    def within(self) -> Sequence[str]:
        """The command that starts another one on this host."""
        called = ("unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', self.name)
        return "ip", "netns", "exec", self.namespace, *called

    def ahead(self, folder: Path, seconds: int) -> Sequence[str]:
        """Give `within` for Python programs whose clock is so far ahead; `folder` is for that.

        Not by libfaketime, under which `time.sleep` of Python 3.11 fails: `time.time` is put on
        here, the clock that never steps is not.
        """
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(_CLOCK.format(seconds=seconds))
        return *self.within, "env", f"PYTHONPATH={folder}"

    def cut(self) -> None:
        """Cut its link: nothing comes through, nobody is told."""
        _run("ip", "-n", self.home, "link", "set", self.plug, "down")

    def mend(self) -> None:
        """Put its link back."""
        _run("ip", "-n", self.home, "link", "set", self.plug, "up")

    def crash(self) -> None:
        """End all that runs on it, and its link first: no connection is closed."""
        self.cut()
        for _ in range(50):
            if not (pids := self._pids()):
                break
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        self.mend()

    def _pids(self) -> list[int]:
        """Give what runs here; what is dead and not yet waited for does not."""
        found = []
        for pid in map(int, _run("ip", "netns", "pids", self.namespace).split()):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
                if stat.read().rpartition(")")[2].split()[0] != "Z":
                    found.append(pid)
        return found


@contextlib.contextmanager
def hosts(*names: str) -> Iterator[list[Host]]:
    """Make hosts, the first of which is home; raises `NoHostsError`. They are gone afterwards."""
    if os.geteuid() != 0:
        raise NoHostsError("namespaces as hosts need root")
    if shutil.which("ip") is None:
        raise NoHostsError("there is no ip: apt-get install iproute2")
    mark = secrets.token_hex(3)
    net = f"{_NET}.{secrets.randbelow(256)}"
    spaces = [f"mc{mark}-{name}" for name in names]
    home = spaces[0]
    made: list[Host] = []
    try:
        _run("ip", "netns", "add", home)
        _run("ip", "-n", home, "link", "add", "bridge", "type", "bridge")
        _wire(home, "bridge", f"{net}.1")
        made.append(Host(names[0], f"{net}.1", home, home, "bridge"))
        _run("ip", "link", "add", f"mc{mark}", "type", "veth", "peer", "tests", "netns", home)
        _run("ip", "-n", home, "link", "set", "tests", "master", "bridge", "up")
        _run("ip", "addr", "add", f"{net}.254/24", "dev", f"mc{mark}")
        _run("ip", "link", "set", f"mc{mark}", "up")
        for number, (name, space) in enumerate(zip(names[1:], spaces[1:], strict=True), start=2):
            _run("ip", "netns", "add", space)
            peer = ("peer", "name", "eth0", "netns", space)
            _run("ip", "-n", home, "link", "add", name, "type", "veth", *peer)
            _run("ip", "-n", home, "link", "set", name, "master", "bridge", "up")
            _wire(space, "eth0", f"{net}.{number}")
            made.append(Host(name, f"{net}.{number}", space, home, name))
        yield made
    finally:
        for host in made:
            for pid in host._pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for space in spaces:
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", f"mc{mark}"], check=False, capture_output=True)


def _wire(space: str, device: str, address: str) -> None:
    _run("ip", "-n", space, "link", "set", "lo", "up")
    _run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", device)
    _run("ip", "-n", space, "link", "set", device, "up")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoHostsError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
