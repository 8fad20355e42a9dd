"""A source looked at by a process of its own: bounded in memory and time, without our secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from mindcorpus.errors import DataError, FetchError, MindcorpusError, NotFoundError, SettingsError
from mindcorpus.inspection.contained import Opened
from mindcorpus.inspection.question import asked
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import Source
from web.errors import BusyError, SourceUnfitError
from web.sources.allowed import Wanted, opened
from workers.execution.failures import revived

#: An answer takes no longer, and nobody waits longer for the hub than a client of ours would.
SECONDS = 60.0
_FETCH_SECONDS = 10.0
_FETCH_TRIES = 2
_FETCH_MB = 256
_MEMORY = 2 * 1024**3
#: At the same time in one process of the server: each takes a processor.
_AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True)
class Looked:
    """What was found out, as JSON values, and the entry; None where no layout is known."""

    found: dict[str, Any]
    source: Source | None


def look_at(wanted: Wanted, settings: Settings, **choices: str | None) -> Looked:
    """Inspect what somebody names.

    Raises `SourcesOffError`, `SourceRefusedError`, `SourceUnfitError`, `BusyError`, and a
    `FetchError` for a hub that does not answer.
    """
    with opened(wanted, settings, choices.get("split")) as there:
        if not _AT_ONCE.acquire(blocking=False):
            raise BusyError(
                "as many sources are inspected as there is room for",
                hint="Try again after as many seconds as Retry-After says.",
            )
        try:
            answer = _ask(there, settings, choices)
        finally:
            _AT_ONCE.release()
    if "error" in answer:
        raise _told(revived(answer["error"]), answer["error"])
    source = answer["source"]
    found = Source.model_validate_json(json.dumps(source)) if source is not None else None
    return Looked(answer["found"], found)


def _ask(there: Opened, settings: Settings, choices: Mapping[str, str | None]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="mindcorpus-") as scratch:
        bounded = settings.model_copy(
            update={
                # The cache of merges may be shared, or not be ours to write.
                "cache_dir": Path(scratch) / "hub",
                "fetch_tries": min(settings.fetch_tries, _FETCH_TRIES),
                "fetch_timeout": min(settings.fetch_timeout, _FETCH_SECONDS),
                "fetch_limit_mb": min(settings.fetch_limit_mb, _FETCH_MB),
                "workers": 1,
            }
        )
        question = asked(there.place, bounded, _MEMORY, **choices)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("MINDCORPUS_")
        }
        try:
            done = subprocess.run(
                [sys.executable, "-m", "mindcorpus.inspection"],
                input=json.dumps(question) + "\n",
                env={**environment, "TMPDIR": scratch},
                pass_fds=there.descriptors,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                timeout=SECONDS,
                check=False,
            )
            answer: dict[str, Any] = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            raise SourceUnfitError(
                f"it takes longer than {SECONDS:.0f} s to be inspected",
                hint="Name a smaller file of it, or inspect it with `mindcorpus sources inspect`.",
            ) from None
        except ValueError:
            structlog.get_logger("web").error("an inspection died", status=done.returncode)
            raise SourceUnfitError(
                "it could not be inspected here; it may take too much memory",
                hint="Name a smaller file of it, or inspect it with `mindcorpus sources inspect`.",
            ) from None
    return answer


def _told(error: MindcorpusError, described: Mapping[str, Any]) -> MindcorpusError:
    """Give an error as one of who asked, where it is: a file that is broken, a name that is not."""
    if isinstance(error, DataError | NotFoundError | SettingsError) or not isinstance(
        error, FetchError
    ):
        return SourceUnfitError(
            error.title,
            hint=error.hint,
            file=described.get("file"),
            row=described.get("row"),
            field=described.get("field"),
        )
    return error
