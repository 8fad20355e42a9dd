"""How the counts of limits are kept in Redis, so that all processes share them."""

from __future__ import annotations

from typing import Any

from web.settings import WebSettings
from workers.redis_client import connect

#: Which Redis, the pool of `storage_options` knows.
STORAGE = "redis://"


def storage_options(settings: WebSettings) -> Any:
    """Give the options of the connection; `limits` has no type for them.

    Half a second, twice at worst: for the count, and at once again for whether Redis is back.
    """
    pool = connect(settings, quick=True).connection_pool
    return {"connection_pool": pool, "key_prefix": "mindcorpus:limits"}
