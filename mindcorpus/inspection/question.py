"""What an inspection in a process of its own is told; who asks loads nothing that reads files."""

from __future__ import annotations

from typing import Any

from mindcorpus.inspection.place import Place
from mindcorpus.settings import Settings


def asked(place: Place, settings: Settings, memory: int, **choices: str | None) -> dict[str, Any]:
    """Give what such a process is told; `memory` are bytes of its address space."""
    return {
        "path": None if place.path is None else str(place.path),
        "repository": place.repository,
        "beside": None if place.beside is None else str(place.beside),
        "files": [[file.path, str(file.local), file.size] for file in place.files],
        "not_read": [[each.path, each.reason] for each in place.not_read],
        "split": place.split,
        "splits": list(place.splits),
        "settings": settings.model_dump(mode="json", include=set(Settings.model_fields)),
        "memory": memory,
        "choices": choices,
    }
