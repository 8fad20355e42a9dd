"""Entries by name, each leading to a module that is imported when it is needed.

Two entries of one name, or one whose module cannot be imported, are told where that name is asked
for; all others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from threading import RLock
from typing import Any, Protocol, TypeVar

from mindcorpus.errors import SettingsError


class Entry(Protocol):
    """What an entry must have."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def module(self) -> str:
        """Where what it stands for is found."""


_Entry = TypeVar("_Entry", bound=Entry)


class Once:
    """Work that is done once, whoever asks for it first; others wait for it, itself does not."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._lock = RLock()
        self._begun = self._done = False

    def __call__(self) -> None:
        """See to it that it is done."""
        if self._done:
            return
        with self._lock:
            if not self._begun:
                self._begun = True
                self._work()
                self._done = True


class Registry(Mapping[str, _Entry]):
    """Entries in the order in which they were registered; of one name the first stands."""

    def __init__(self, what: str, field: str | None = None) -> None:
        """Begin empty; for messages: what an entry is, and the one field of requests for it."""
        self._what = what
        self._field = field
        self._entries: dict[str, list[_Entry]] = {}
        self._refused: dict[str, tuple[str, str]] = {}
        self.before_reading: Callable[[], None] = _nothing
        """What adds entries that cost something to find: done before any is asked for."""

    def register(self, entry: _Entry) -> None:
        """Add an entry; one whose name is taken is told when that name is asked for."""
        self._entries.setdefault(entry.name, []).append(entry)

    def refuse(self, name: str, why: str, hint: str) -> None:
        """Note why there is no entry of a name, for whoever asks for that."""
        self._refused.setdefault(name, (why, hint))

    @property
    def refused(self) -> Mapping[str, str]:
        """Why there is none, by name."""
        self.before_reading()
        return {name: why for name, (why, _) in self._refused.items()}

    def remove(self, entry: _Entry) -> None:
        """Take an entry out again."""
        self._entries[entry.name].remove(entry)
        if not self._entries[entry.name]:
            del self._entries[entry.name]

    def __getitem__(self, name: str) -> _Entry:
        self.before_reading()
        return self._entries[name][0]

    def __iter__(self) -> Iterator[str]:
        self.before_reading()
        return iter(self._entries)

    def __len__(self) -> int:
        self.before_reading()
        return len(self._entries)

    def is_known(self, name: str) -> bool:
        """Whether a name has an entry, and no more than one."""
        self.before_reading()
        return len(self._entries.get(name, ())) == 1

    def find(self, name: str) -> _Entry:
        """Give the entry of a name; raises `SettingsError` if there is none, or more than one."""
        self.before_reading()
        found = self._entries.get(name, [])
        if not found and name in self._refused:
            why, hint = self._refused[name]
            raise SettingsError(why, field=self._field, hint=hint)
        if not found:
            raise SettingsError(
                f"there is no {self._what} {name!r}",
                field=self._field,
                hint=f"Known: {', '.join(self)}.",
            )
        if len(found) > 1:
            modules = " and ".join(entry.module for entry in found)
            raise SettingsError(
                f"more than one {self._what} is called {name!r}: {modules}",
                field=self._field,
                hint="Give one of them another name, or leave it out; all others can be used.",
            )
        return found[0]

    def load(self, name: str, attribute: str) -> Any:
        """Give what an entry's module has under a name.

        Raises `SettingsError` as `find`, and where the module cannot be imported or lacks it.
        """
        entry = self.find(name)
        with self.named(name):
            return getattr(import_module(entry.module), attribute)

    @contextmanager
    def named(self, name: str) -> Iterator[None]:
        """Tell of whatever its code raises in a `SettingsError` that names the entry."""
        entry = self.find(name)
        try:
            yield
        except SettingsError:  # it says itself what is wrong
            raise
        # The code is anybody's: it may raise whatever it likes.
        except Exception as error:
            raise SettingsError(
                f"the {self._what} {entry.name!r} cannot be loaded: {type(error).__name__} in "
                f"{entry.module}",
                field=self._field,
                hint="Mend its module, or leave its entry out; all others can be used.",
            ) from error


def _nothing() -> None:
    """Add no entry."""
