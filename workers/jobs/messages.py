"""What goes to and from the scripts: ids of jobs, parts to create, messages to publish."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from workers.jobs.job_specs import PartSpec

#: In the order in which workers empty them: a merge that only needs its last step comes first, and
#: what is begun is written before more is read.
QUEUES = ("finalise", "prepare", "write", "part")

Message = tuple[str, str]
"""A job's id and the queue it is to be published in."""


def new_id() -> str:
    """Give 32 hexadecimal digits: the time in milliseconds, then chance."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(10)}"


def parts_of(parts: Sequence[PartSpec]) -> str:
    """Give parts as the scripts take them, each with an id."""
    return json.dumps(
        [
            {
                "id": new_id(),
                "source": part.source,
                "payload": json.dumps(part.payload),
                "size": part.size,
            }
            for part in parts
        ]
    )


def messages_of(raw: Any) -> tuple[Message, ...]:
    """Give the messages that a script answered."""
    return tuple((job_id, queue) for job_id, queue in raw)
