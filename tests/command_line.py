"""Start the command line as users do: a process of its own, with or without a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import mindcorpus

MAIN = (sys.executable, "-m", "mindcorpus.cli.main")
PATIENCE = 60.0  # seconds until something that should happen counts as not happening
# A session's first process takes the terminal as its own, so that Ctrl-C reaches it.
_OWN = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def environment(**given: str) -> dict[str, str]:
    """Give the environment of a process: ours without the user's settings."""
    mine = {name: text for name, text in os.environ.items() if not name.startswith("MINDCORPUS_")}
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PYTHONIOENCODING"):
        mine.pop(name, None)
    root = str(Path(mindcorpus.__file__).parents[1])
    return {**mine, "PYTHONPATH": root, "LC_ALL": "C.UTF-8", **given}


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def run(*arguments: object, cwd: Path, start: tuple[str, ...] = MAIN, **env: str) -> Ran:
    """Run a command to its end, without a terminal."""
    done = subprocess.run(
        [*start, *map(str, arguments)],
        cwd=cwd,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


class Session:
    """A command on a terminal of 100 columns and 30 lines, to be read and typed at.

    As a context it leaves no process behind, whatever became of the test.
    """

    def __init__(self, *arguments: object, cwd: Path, **env: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN, *MAIN, *map(str, arguments)],
            cwd=cwd,
            env=environment(TERM="xterm-256color", **env),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""
        self._read_to = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def settle(self) -> None:
        """Give a program that has shown its prompt the time to wait for the answer.

        CPython loses an interrupt that comes after its last look for one and before it reads,
        and a terminal whose mode is changed forgets the keys that were pressed before.
        """
        time.sleep(0.5)

    def expect(self, text: str) -> None:
        """Wait until a text has appeared since the last one that was expected.

        Where it has a space the terminal may break it: a path before it may be of any length.
        """
        deadline = time.monotonic() + PATIENCE
        broken = re.compile(r"\s+".join(map(re.escape, text.split(" "))))
        while (found := broken.search(self.seen, self._read_to)) is None:
            assert time.monotonic() < deadline, self.seen
            assert self._read(), f"ended without {text!r}: {self.seen}"
        self._read_to = found.end()

    def end(self) -> int:
        """Read to the end, and give the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, self.seen
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 0.1)[0]:
            return True
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.seen += piece.decode(errors="replace")
        return bool(piece)
