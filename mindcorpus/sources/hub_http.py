"""The HTTP library that the installed hub's client is written with: httpx2, or its elder httpx.

Up to 1.x the hub's client speaks httpx, from 2.0 on httpx2; both may be installed. Its errors and
its client are ours to handle, so all that asks the hub takes the library from here. The two have
the same names and arguments for what is used, and type checkers see the newer one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from huggingface_hub.errors import HfHubHTTPError

__all__ = ["httpcore", "httpx"]


def _library() -> str:
    """Name the library whose error that of the hub's client is a kind of."""
    kinds = (kind.__module__.partition(".")[0] for kind in HfHubHTTPError.__mro__)
    return next(kind for kind in kinds if kind in {"httpx", "httpx2"})


if TYPE_CHECKING:
    import httpcore2 as httpcore
    import httpx2 as httpx
else:
    httpx = import_module(_library())
    httpcore = import_module(_library().replace("httpx", "httpcore"))
