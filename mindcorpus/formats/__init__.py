"""The training formats: one module each, their registry, and the rules of a provider.

Called, it lists them: `mindcorpus.formats()` is `mindcorpus.api.formats`. A function of that name
would be hidden by this package as soon as any of its modules is imported.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Formats(ModuleType):
    def __call__(self, *args: Any, **choices: Any) -> Any:
        """List the training formats, see `mindcorpus.api.formats`."""
        return import_module("mindcorpus.api").formats(*args, **choices)


sys.modules[__name__].__class__ = _Formats
