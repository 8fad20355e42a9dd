"""Waiting until the service can take jobs, and saying what it waits for."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from mindcorpus.errors import MindcorpusError
from mindcorpus.progress import Cancellation
from web.local.processes import Supervisor

_PAUSE = 0.2
_PATIENCE = 5.0  # seconds before anything is said: a quick start needs no words
_DEATHS = 4


class NotReadyError(MindcorpusError):
    """The service was started, but cannot take jobs."""

    code = "not-ready"


def wait_until_ready(
    url: str,
    supervisor: Supervisor,
    say: Callable[[str], None],
    cancel: Cancellation,
    *,
    seconds: float = 90.0,
) -> None:
    """Wait until `/readyz` answers 200, saying what it waits for whenever that changes.

    Raises `NotReadyError` if a program dies again and again or the time is up, and
    `CancelledError` if asked to stop.
    """
    began = time.monotonic()
    said = ""
    while (missing := what_is_missing(url)) is not None:
        _refuse_to_wait_for_the_dead(supervisor)
        waited = time.monotonic() - began
        if waited > seconds:
            raise NotReadyError(
                f"the service was not ready after {seconds:.0f} s: {missing}",
                hint="The logs of its programs tell more.",
            )
        if missing != said and waited > _PATIENCE:
            say(f"Waiting: {missing}.")
            said = missing
        cancel.wait(_PAUSE)


def what_is_missing(url: str) -> str | None:
    """Ask `/readyz` what the service waits for; None if it is ready."""
    address = urlsplit(url)
    # Not through a proxy, whatever the environment says: it is on this machine.
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=8)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return "the web server does not answer yet"
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return None
    with suppress(ValueError, AttributeError):
        problem = json.loads(body)
        return str(problem.get("detail") or problem.get("title"))
    return f"the web server answers {answer.status}"


def _refuse_to_wait_for_the_dead(supervisor: Supervisor) -> None:
    if dead := supervisor.failing(_DEATHS):
        names = " and ".join(program.name for program in dead)
        raise NotReadyError(
            f"{names} died {_DEATHS} times in a row",
            hint=f"Its log tells why: {supervisor.log(dead[0])}",
        )
