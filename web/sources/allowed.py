"""What may be inspected and added: of folders and hub owners that the operator names, alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mindcorpus.errors import NotFoundError, SettingsError
from mindcorpus.inspection.contained import Opened, open_inside
from mindcorpus.inspection.place import Place
from mindcorpus.settings import Settings
from web.errors import SourceRefusedError, SourcesOffError, SourceUnfitError


@dataclass(frozen=True)
class Wanted:
    """What somebody names: a path as FOLDER/REST, or a repository of the hub."""

    path: str | None = None
    repository: str | None = None


def are_allowed(settings: Settings) -> bool:
    """Tell whether sources may be added at all."""
    return bool(settings.source_folders or settings.source_owners)


def refuse_if_off(settings: Settings) -> None:
    """Raise `SourcesOffError` unless sources may be added."""
    if not are_allowed(settings):
        raise SourcesOffError(
            "sources cannot be added here",
            hint="The operator names folders in MINDCORPUS_SOURCE_FOLDERS, or owners on the hub"
            " in MINDCORPUS_SOURCE_OWNERS.",
        )


@contextmanager
def opened(wanted: Wanted, settings: Settings, split: str | None) -> Iterator[Opened]:
    """Open what is wanted, of a saved dataset the split, if it may be read.

    Raises `SourcesOffError`, `SourceRefusedError`, and `SourceUnfitError` for what is not there.
    """
    refuse_if_off(settings)
    if wanted.repository is not None:
        yield Opened(_repository(wanted.repository, settings), ())
        return
    with _told(), open_inside(wanted.path or "", settings.source_folders, split) as found:
        yield found


def _repository(name: str, settings: Settings) -> Place:
    owners = {owner.lower() for owner in settings.source_owners}
    if name.partition("/")[0].lower() not in owners:
        raise SourceRefusedError(
            "the repository is of no owner whose sources may be added",
            field="repository",
            hint=f"Owners are {', '.join(settings.source_owners)}."
            if owners
            else "The operator names none.",
        )
    return Place(repository=name)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        raise SourceRefusedError(
            error.title, hint=error.hint, file=error.file, field=error.field
        ) from None
    except NotFoundError as error:
        raise SourceUnfitError(
            error.title, hint=error.hint, file=error.file, field="path"
        ) from None
