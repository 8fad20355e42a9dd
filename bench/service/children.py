"""The processes that put load on the service, started and heard."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Self

from bench.service import client, listener
from bench.service.stack import ROOT, StackError, without_settings


def put_load(order: client.JobSpec) -> client.Answered:
    """Have requests sent by a process of its own; raises `StackError` if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.service.client"],
        input=json.dumps(asdict(order)),
        cwd=ROOT,
        env=without_settings(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"the client failed: {done.stderr[-2000:]}")
    return client.Answered(**json.loads(done.stdout))


class Listening:
    """Open streams in a process of its own, from `with` to the end of its block."""

    def __init__(self, order: listener.JobSpec) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.service.listener"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=without_settings(),
            text=True,
        )
        self._say(json.dumps(asdict(order)))

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "open":
            self.__exit__(None, None, None)
            raise StackError("the streams did not open")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> listener.Heard:
        """End the streams and give what they heard."""
        said, _ = self._process.communicate("end\n")
        if self._process.returncode:
            raise StackError("the listener failed; its words are above")
        heard = json.loads(said)
        streams = [listener.Stream(**stream) for stream in heard.pop("streams")]
        return listener.Heard(streams, **heard)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
