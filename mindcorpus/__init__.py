"""Merge public mental-health conversation datasets into one corpus, and prepare it for fine-tuning.

    >>> from mindcorpus import merge_all_datasets, prepare_all_formats
    >>> result = merge_all_datasets(sample=True)
    >>> formats = prepare_all_formats()

Names are imported on first use: `import mindcorpus` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mindcorpus.api import (
        get_merged_dataset_path,
        merge_all_datasets,
        merged_dataset_exists,
        prepare_all_formats,
        prepare_for_huggingface,
        prepare_for_openai,
        prepared_datasets_exist,
    )
    from mindcorpus.artifacts import Store
    from mindcorpus.client import ServiceClient
    from mindcorpus.errors import MindcorpusError
    from mindcorpus.merging import MergeResult, merge
    from mindcorpus.preparing.formats import PrepareResult, prepare
    from mindcorpus.progress import Cancellation, Progress
    from mindcorpus.requests import MergeRequest, PrepareRequest
    from mindcorpus.settings import Settings

_HOMES = {
    "api": (
        "get_merged_dataset_path",
        "merge_all_datasets",
        "merged_dataset_exists",
        "prepare_all_formats",
        "prepare_for_huggingface",
        "prepare_for_openai",
        "prepared_datasets_exist",
    ),
    "artifacts": ("Store",),
    "client": ("ServiceClient",),
    "errors": ("MindcorpusError",),
    "merging": ("MergeResult", "merge"),
    "preparing.formats": ("PrepareResult", "prepare"),
    "progress": ("Cancellation", "Progress"),
    "requests": ("MergeRequest", "PrepareRequest"),
    "settings": ("Settings",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Cancellation",
    "MergeRequest",
    "MergeResult",
    "MindcorpusError",
    "PrepareRequest",
    "PrepareResult",
    "Progress",
    "ServiceClient",
    "Settings",
    "Store",
    "get_merged_dataset_path",
    "merge",
    "merge_all_datasets",
    "merged_dataset_exists",
    "prepare",
    "prepare_all_formats",
    "prepare_for_huggingface",
    "prepare_for_openai",
    "prepared_datasets_exist",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"mindcorpus.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
