"""Paths as answers show them: from the data folder on, or by name alone, never from the root on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

# As `MindcorpusError` says where it was.
_NAMED = re.compile(r"(?<=\bfile )/[^,)]*")
#: The folders of a data folder: what follows one of them means something to a client.
_INSIDE = ("artifacts", "parts", "raw", "staging", "corpora")


def shown(path: str) -> str:
    """Give a path without what says where on the server it lies."""
    parts = PurePath(path).parts
    if not parts or parts[0] != "/":
        return path
    # The last one: folders above may have such names, too.
    begins = [at for at, part in enumerate(parts) if part in _INSIDE]
    return "/".join(parts[begins[-1] :]) if begins else parts[-1].lstrip("/")


def without_server_paths(error: Mapping[str, Any]) -> dict[str, Any]:
    """Give an error as values, with its file as it is shown, also where its words repeat it."""
    told = dict(error)
    if isinstance(file := told.get("file"), str):
        told["file"] = shown(file)
    if isinstance(detail := told.get("detail"), str):
        told["detail"] = in_words(detail)
    return told


def in_words(detail: str) -> str:
    """Give what an error says of itself, with the file that it names as it is shown."""
    return _NAMED.sub(lambda found: shown(found[0]), detail)
