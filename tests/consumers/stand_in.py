"""Stand-ins for packages that a loader's modules import and its reading of data never uses.

They are why no torch is installed: whatever is asked of such a module is an empty class.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any


class _Nothing(type):
    """The type of a class that has every attribute, and stands in every annotation."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing(name)

    def __or__(cls, other: object) -> Any:
        return cls

    def __ror__(cls, other: object) -> Any:
        return cls

    def __getitem__(cls, key: object) -> Any:
        return cls


def _nothing(name: str) -> Any:
    def call(self: Any, *arguments: Any, **_: Any) -> Any:
        # A decorator gives back what it decorates.
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) else self

    def begin(self: Any, *_: Any, **__: Any) -> None: ...

    return _Nothing(name, (), {"__init__": begin, "__call__": call})


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = _nothing(name)
        setattr(self, name, found)
        return found


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        if any(fullname == name or fullname.startswith(f"{name}.") for name in self._names):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        # Some ask for the version before they use a package.
        module.__version__ = "0"  # type: ignore[attr-defined]


def stand_in(*names: str) -> None:
    """Let these packages or modules be imported, with all that is below them, as nothing."""
    sys.meta_path.insert(0, _Finder(names))


def package_without_its_start(name: str) -> None:
    """Let modules of an installed package be imported without running its `__init__`."""
    spec = importlib.machinery.PathFinder.find_spec(name.rpartition(".")[2], _path_above(name))
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError(name)
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package


def _path_above(name: str) -> list[str] | None:
    above = name.rpartition(".")[0]
    return list(sys.modules[above].__path__) if above else None
