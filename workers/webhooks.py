"""Telling others that a job ended: signed as Standard Webhooks says, tried again, never lost.

What is to be told waits in Redis, so that any worker can go on where another died. Whoever takes a
delivery has it for a while; if nothing is heard of it until then, the next one tries: who is
called may hear of an end twice, with the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2

from mindcorpus.errors import MindcorpusError, SettingsError
from workers.callbacks import PORTS, check_callback, origin_of, shown
from workers.errors import RedisUnavailableError
from workers.jobs.job import stamp
from workers.jobs.scripts import Scripts
from workers.redis_client import connect
from workers.settings import WEBHOOK_SECRET, WorkerSettings

log = logging.getLogger(__name__)

#: Seconds before each further try: those of Standard Webhooks, as long as a job's end is news.
PAUSES = (5.0, 60.0, 300.0, 1800.0, 7200.0)
_TIMEOUT = 10.0  # for all of a call, however slowly it is answered
_LEASE = 20.0  # seconds until another worker tries what nothing was heard of
_AT_ONCE = 8


@dataclass(frozen=True)
class Delivery:
    """One end of a job that somebody is to be told of, and which try this is, from 1."""

    id: str
    job_id: str
    url: str
    outcome: dict[str, Any]
    attempt: int


class Webhooks:
    """The deliveries of one service, as one worker sees to them."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._key = key_of(settings)
        self._scripts = Scripts(connect(settings))
        self._stopped = threading.Event()

    def run(self) -> None:
        """Deliver what is due until told to stop; Redis being away ends nothing."""
        while not self._stopped.is_set():
            try:
                self.deliver_due()
            except MindcorpusError as error:
                log.warning("webhooks: %s", error.title)
            except Exception as error:  # noqa: BLE001 - told, and tried again
                log.error("webhooks: unexpected %s", type(error).__name__)  # noqa: TRY400 - no values
            self._stopped.wait(self._settings.sweep_seconds * random.uniform(0.8, 1.2))  # noqa: S311

    def stop(self) -> None:
        """End after what is being delivered."""
        self._stopped.set()

    def deliver_due(self) -> None:
        """Take some deliveries that are due, and make each in a thread of its own.

        One that does not come to an end is left behind, and tried again later.
        """
        taken = self._scripts.run("webhooks_due", int(_LEASE * 1000), _AT_ONCE)
        due = [
            Delivery(id_, job_id, url, json.loads(outcome), int(attempt))
            for id_, job_id, url, outcome, attempt in taken
        ]
        threads = [threading.Thread(target=self._make, args=(each,), daemon=True) for each in due]
        for thread in threads:
            thread.start()
        until = time.monotonic() + _TIMEOUT + 2
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _make(self, delivery: Delivery) -> None:
        with suppress(RedisUnavailableError):  # the lease runs out, and it is tried again
            self._try(delivery)

    def _try(self, delivery: Delivery) -> None:
        try:
            check_callback(delivery.url, self._settings)  # the operator may list others by now
        except SettingsError as error:
            log.warning("job %s: its end is not told: %s", delivery.job_id, error.title)
            self._told(delivery, None, again=False)
            return
        status = self._post(delivery, json.dumps(payload_of(delivery.outcome)).encode())
        done = status is not None and 200 <= status < 300
        # 410 is how a receiver says that it wants no more.
        again = not done and status != httpx2.codes.GONE and delivery.attempt <= len(PAUSES)
        self._told(delivery, status, again=again)

    def _post(self, delivery: Delivery, body: bytes) -> int | None:
        """Send it; give the answer's status, None if there is none. What it says is not read."""
        at = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "mindcorpus",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self._key, delivery.id, at, body),
        }
        try:
            url = httpx2.URL(delivery.url)
            if origin_of(delivery.url) != (url.scheme, url.host, url.port or PORTS.get(url.scheme)):
                return None  # two readings of one address: neither is trusted
            return asyncio.run(_answer(url, body, headers))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            return None

    def _told(self, delivery: Delivery, status: int | None, *, again: bool) -> None:
        pause = ""
        if again:
            # Apart from each other, as many may have failed together.
            seconds = PAUSES[delivery.attempt - 1] * random.uniform(0.8, 1.2)  # noqa: S311
            pause = str(int(seconds * 1000))
        told = "" if status is None else str(status)
        self._scripts.run(
            "webhooks_told", delivery.id, delivery.attempt, told, pause, shown(delivery.url)
        )


async def _answer(url: httpx2.URL, body: bytes, headers: dict[str, str]) -> int:
    """Send it; give the answer's status. Raises `TimeoutError` where that does not come in time.

    The client's own limit is one of each read: who says a byte at a time would keep us for days.
    """
    async with (
        asyncio.timeout(_TIMEOUT),
        httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as client,
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return answer.status_code


def payload_of(outcome: dict[str, Any]) -> dict[str, Any]:
    """Tell how a job ended (webhooks.lua), as the standard says."""
    data = dict(outcome)
    return {"type": f"job.{data['state']}", "timestamp": stamp(data.pop("finished")), "data": data}


def signature(key: bytes, message_id: str, at: int, body: bytes) -> str:
    """Sign a message as Standard Webhooks says."""
    signed = hmac.new(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def key_of(settings: WorkerSettings) -> bytes:
    """Give the key that deliveries are signed with; raises `SettingsError` if there is none."""
    if settings.webhook_secret is None:
        raise SettingsError(
            "setting webhook_secret: there is none, though hosts may be called",
            field="webhook_secret",
            hint=f"Set MINDCORPUS_WEBHOOK_SECRET: {WEBHOOK_SECRET} and 32 random bytes in base64.",
        )
    secret = settings.webhook_secret.get_secret_value()
    return base64.b64decode(secret.removeprefix(WEBHOOK_SECRET))


def start_webhooks(settings: WorkerSettings) -> Callable[[], None]:
    """Start delivering in a thread, where any host may be called; gives what stops it.

    Raises `SettingsError` where there is nothing to sign with.
    """
    if not settings.webhook_hosts:
        return lambda: None
    webhooks = Webhooks(settings)
    threading.Thread(target=webhooks.run, name="webhooks", daemon=True).start()
    return webhooks.stop
