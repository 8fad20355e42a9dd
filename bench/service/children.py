"""The processes that put load on the service, started and heard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from bench.service import client, listener, slow
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


class _Child:
    """A process that does what it is told from `with` to the end of its block, or to `end`."""

    def __init__(self, module: str, order: listener.JobSpec | slow.JobSpec) -> None:
        paths = (str(ROOT), str(ROOT / "tests" / "faults"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**without_settings(), "PYTHONPATH": os.pathsep.join(paths)},
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(asdict(order))}\n")
        self._process.stdin.flush()

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "open":
            self.__exit__(None, None, None)
            raise StackError("the connections did not open")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _ended(self) -> Any:
        """End it and give what it says."""
        said, _ = self._process.communicate("end\n")
        if self._process.returncode:
            raise StackError("a process of the bench failed; its words are above")
        return json.loads(said)


class Listening(_Child):
    """Open streams."""

    def __init__(self, order: listener.JobSpec) -> None:
        super().__init__("bench.service.listener", order)

    def end(self) -> listener.Heard:
        """End the streams and give what they heard."""
        heard = self._ended()
        streams = [listener.Stream(**stream) for stream in heard.pop("streams")]
        return listener.Heard(streams, **heard)


class Crowd(_Child):
    """Slow clients."""

    def __init__(self, order: slow.JobSpec) -> None:
        super().__init__("bench.service.slow", order)

    def end(self) -> slow.Played:
        """Have them gone and give what became of them."""
        return slow.Played(**self._ended())
