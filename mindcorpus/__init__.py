"""Merge public mental-health conversation datasets into one corpus, and prepare it for fine-tuning.

    >>> from mindcorpus import merge_all_datasets, prepare_all_formats
    >>> result = merge_all_datasets(sample=True)
    >>> formats = prepare_all_formats()

Names are imported on first use: `import mindcorpus` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mindcorpus._version import __version__ as __version__
from mindcorpus.formats import registry as _formats  # noqa: F401 - whoever stores or lists knows them

if TYPE_CHECKING:
    from mindcorpus.api import (
        get_merged_dataset_path,
        inspect_source,
        merge_all_datasets,
        merged_dataset_exists,
        prepare_all_formats,
        prepare_for,
        prepare_for_huggingface,
        prepare_for_openai,
        prepared_datasets_exist,
        push,
        rollback,
    )
    from mindcorpus.building.build import BuildResult, build
    from mindcorpus.client.service import ServiceClient
    from mindcorpus.errors import MindcorpusError
    from mindcorpus.inspection.inspecting import Inspection
    from mindcorpus.job_requests import MergeRequest, PrepareRequest
    from mindcorpus.merging.merge import MergeResult, merge
    from mindcorpus.preparing.prepare import PrepareResult, prepare
    from mindcorpus.progress import Cancellation, Progress
    from mindcorpus.pushing.push import PushResult
    from mindcorpus.settings import Settings
    from mindcorpus.storage.rollback import RolledBack
    from mindcorpus.storage.store import Store

_HOMES = {
    "api": (
        "get_merged_dataset_path",
        "inspect_source",
        "merge_all_datasets",
        "merged_dataset_exists",
        "prepare_all_formats",
        "prepare_for",
        "prepare_for_huggingface",
        "prepare_for_openai",
        "prepared_datasets_exist",
        "push",
        "rollback",
    ),
    "building.build": ("BuildResult", "build"),
    "client.service": ("ServiceClient",),
    "errors": ("MindcorpusError",),
    "inspection.inspecting": ("Inspection",),
    "job_requests": ("MergeRequest", "PrepareRequest"),
    "merging.merge": ("MergeResult", "merge"),
    "preparing.prepare": ("PrepareResult", "prepare"),
    "progress": ("Cancellation", "Progress"),
    "pushing.push": ("PushResult",),
    "settings": ("Settings",),
    "storage.rollback": ("RolledBack",),
    "storage.store": ("Store",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BuildResult",
    "Cancellation",
    "Inspection",
    "MergeRequest",
    "MergeResult",
    "MindcorpusError",
    "PrepareRequest",
    "PrepareResult",
    "Progress",
    "PushResult",
    "RolledBack",
    "ServiceClient",
    "Settings",
    "Store",
    "build",
    "formats",
    "get_merged_dataset_path",
    "inspect_source",
    "merge",
    "merge_all_datasets",
    "merged_dataset_exists",
    "prepare",
    "prepare_all_formats",
    "prepare_for",
    "prepare_for_huggingface",
    "prepare_for_openai",
    "prepared_datasets_exist",
    "push",
    "rollback",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"mindcorpus.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
