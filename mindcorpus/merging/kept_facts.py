"""Small facts that are kept beside the parts, each in a folder named by all that it follows from.

How a file was cut, what a merge has made: what they are kept for is found without a file of the
sources being opened. They go as parts do, when nobody uses them.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from mindcorpus.privacy import write
from mindcorpus.storage.sealed import seal, unseal
from mindcorpus.storage.store import Store

_FACTS = "facts.json"


def named(*made_of: object) -> str:
    """Name what follows from some JSON values, in the form of a part's name."""
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:32]


def find_facts(store: Store, name: str) -> Any:
    """Give facts, and note that they were used; None where there are none, or damaged ones."""
    folder = store.parts / name
    try:
        facts = unseal((folder / _FACTS).read_bytes())
    except (OSError, ValueError):
        return None
    with suppress(OSError):
        os.utime(folder)
    return facts


def keep_facts(store: Store, name: str, facts: Any, scratch: Path) -> None:
    """Keep facts, in place of any that have this name; raises `OSError`."""
    draft = scratch / f"{name}.json"
    write(draft, seal(facts))
    folder = store.parts / name
    store.make_folder(store.parts)
    folder.mkdir(mode=0o700, exist_ok=True)
    draft.replace(folder / _FACTS)
    store.close(folder)
