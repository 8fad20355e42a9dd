"""What each training format would hold of the corpus there is, counted once for a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, cast

from flask import current_app

from mindcorpus.formats.registry import FORMATS
from mindcorpus.preparing.offer import count_rows

if TYPE_CHECKING:
    from mindcorpus.preparing.offer import Held
    from mindcorpus.storage.store import Store

_EXTENSION = "mindcorpus-held"


@dataclass(frozen=True)
class _Counted:
    key: tuple[object, ...]
    held: Held


class _Counts:
    """The last count; of several who ask at once, one counts."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.last: _Counted | None = None


def held_today(store: Store) -> Held | None:
    """Give what each format would hold; None without a corpus.

    Raises `CorruptArtifactError` for a corpus that is not whole.
    """
    if not store.corpus_exists():
        return None
    counts = cast("_Counts", current_app.extensions.setdefault(_EXTENSION, _Counts()))
    with store.reading("corpus") as corpus, counts.lock:
        key = (corpus, *FORMATS.values())
        if counts.last is None or counts.last.key != key:
            counts.last = _Counted(key, count_rows(corpus))
        return counts.last.held
