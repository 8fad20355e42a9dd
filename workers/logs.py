"""Logs: one JSON object a line on stderr, whoever writes it: we, Celery, gunicorn or redis-py.

Two things never get through, even by mistake. A traceback is told by its frames and the type of
its error, without words: those may quote a record. And what looks like a password in a URL or like
a token of ours is masked.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import TYPE_CHECKING, TextIO

import structlog

from mindcorpus.errors import MindcorpusError

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

_SECRETS = (
    (re.compile(r"(://)[^/\s'\"]*@"), r"\1***@"),
    (re.compile(r"(\bsentinel_password=)[^&\s'\"]+"), r"\1***"),
    (re.compile(r"\bmc_[A-Za-z0-9_-]{20,}"), "mc_***"),
)
#: They log each request with its URL, which may be signed.
_TALKATIVE = ("httpx", "httpx2", "httpcore", "httpcore2", "urllib3")


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, to be told from those of others."""


def configure(level: int = logging.INFO) -> None:
    """Send all logs of this process to stderr as JSON lines; may be called again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _describe_error,
        _mask,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _Handler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def frames(error: BaseException) -> list[str]:
    """Give where an error came from, the innermost last: files, lines and functions, no words."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]


def _describe_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    given = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if isinstance(given, BaseException):
        error: BaseException | None = given
    else:
        error = given[1] if isinstance(given, tuple) else sys.exception() if given else None
    if error is not None:
        event["error"] = type(error).__name__
        event["frames"] = frames(error)
        if isinstance(error, MindcorpusError):
            event["code"] = error.code
            event["reason"] = str(error)
    return event


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: masked(value) for key, value in event.items()}


def masked(value: object) -> object:
    """Give a value of a log without what looks like a password or a token."""
    if isinstance(value, str):
        for pattern, instead in _SECRETS:
            value = pattern.sub(instead, value)
    return value
