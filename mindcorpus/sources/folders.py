"""Which files of a folder are a source's, and why each of the others is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mindcorpus.compression import plain_name
from mindcorpus.errors import DataError, NotFoundError
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.file_formats import format_of

#: What the datasets library writes beside data, and what each is.
_BY_THE_LIBRARY = {
    "dataset_info.json": "describes a dataset and holds no rows",
    "dataset_infos.json": "describes a dataset and holds no rows",
    "dataset_dict.json": "names the splits of a saved dataset",
}
_STATE = "state.json"
_SPLITS = "dataset_dict.json"
#: So many files that are not read are named.
_NAMED = 200


@dataclass(frozen=True)
class NotRead:
    """A file of a folder, by its path in it, and why it is not read."""

    path: str
    reason: str


#: Opens a file of a folder, by its path in it, to be read by the path that is given meanwhile.
Opener = Callable[[str], AbstractContextManager[Path]]


def files_of_folder(source: Source, folder: Path) -> tuple[dict[str, Path], tuple[NotRead, ...]]:
    """Give a folder's files of data, by path, and those that are none.

    Of a dataset that the datasets library saved, they are those of the source's split. Raises
    `NotFoundError` if there is no such split, or a file of it is gone.
    """
    paths, not_read = choose_files(source, _below(folder), opener_of(folder), str(folder))
    return {path: folder / path for path in paths}, not_read


def opener_of(folder: Path) -> Opener:
    """Give what opens the files of a folder that all lie where their paths say."""
    return lambda path: nullcontext(folder / path)


def choose_files(
    source: Source, names: Iterable[str], opened: Opener, home: str
) -> tuple[list[str], tuple[NotRead, ...]]:
    """Give those of a folder's files, all of them being `names`, that are data, and the others.

    `home` is what an error calls the folder. Raises as `files_of_folder`.
    """
    splits = _splits_of(source, opened, home)
    found: list[str] = []
    not_read: list[NotRead] = []
    states: dict[PurePosixPath, frozenset[str] | None] = {}
    there = dict.fromkeys(names)
    for path in there:
        at = PurePosixPath(path)
        if at.parent not in states:
            states[at.parent] = _saved_files(at.parent, opened)
        reason = _why_not(at, states[at.parent], opened)
        if not reason and splits:
            split = at.parts[0] if len(at.parts) > 1 else ""
            if split not in splits:
                reason = "lies beside a saved dataset"
            elif split != source.split:
                reason = f"of the split {split!r}, not {source.split!r}"
        if reason:
            not_read.append(NotRead(path, reason))
        else:
            found.append(path)
    _refuse_gaps(source, there, states, splits, home)
    more = len(not_read) - _NAMED
    if more > 0:
        not_read[_NAMED:] = [NotRead("…", f"{more:,} more files")]
    return found, tuple(not_read)


def _refuse_gaps(
    source: Source,
    there: Collection[str],
    states: Mapping[PurePosixPath, frozenset[str] | None],
    splits: tuple[str, ...],
    home: str,
) -> None:
    """Raise `NotFoundError` if a saved dataset names a file that is not there."""
    for saved, names in states.items():
        if splits and saved != PurePosixPath(source.split):
            continue
        gone = sorted(name for name in names or () if (saved / name).as_posix() not in there)
        if gone:
            raise NotFoundError(
                f"the saved dataset names {len(gone)} files that are not there"
                if len(gone) > 1
                else "the saved dataset names a file that is not there",
                source=source.name,
                file=str(PurePosixPath(home) / saved / gone[0]),
                hint="Copy the whole folder again, or save the dataset anew.",
            )


def _below(folder: Path) -> Iterator[str]:
    named = ((local.relative_to(folder).as_posix(), local) for local in folder.rglob("*"))
    return (path for path, local in sorted(named) if local.is_file())


def _why_not(path: PurePosixPath, saved: frozenset[str] | None, opened: Opener) -> str:
    """Say why a file is not read; "" for one that is."""
    if any(part.startswith(".") for part in path.parts):
        return "hidden"
    if path.stem.lower() == "readme":
        return "a README"
    if path.name in _BY_THE_LIBRARY:
        return _BY_THE_LIBRARY[path.name]
    if saved is not None:
        if path.name == _STATE:
            return "describes a saved dataset and holds no rows"
        return "" if path.name in saved else "lies beside a saved dataset"
    return "" if _has_format(path, opened) else "its ending is none that is read"


def _has_format(path: PurePosixPath, opened: Opener) -> bool:
    if path.suffix.lower() != ".zip" or format_of(path.name) is not None:
        return format_of(path.name) is not None
    try:
        with opened(path.as_posix()) as local:
            if local.stat().st_size == 0:
                return True
            return format_of(plain_name(local, path.name)) is not None
    except (DataError, OSError):
        return True  # what is wrong with it is said where it is read


def _saved_files(folder: PurePosixPath, opened: Opener) -> frozenset[str] | None:
    """Give the names of the data files that a saved dataset says it has; None if it is none."""
    state = _json_of((folder / _STATE).as_posix(), opened)
    files = state.get("_data_files")
    if not isinstance(files, list):
        return None
    names = (file.get("filename") for file in files if isinstance(file, dict))
    return frozenset(name for name in names if isinstance(name, str))


def saved_splits(opened: Opener) -> tuple[str, ...] | None:
    """Give the splits of a folder that `DatasetDict.save_to_disk` wrote; None for another."""
    splits = _json_of(_SPLITS, opened).get("splits")
    if not isinstance(splits, list):
        return None
    return tuple(split for split in splits if isinstance(split, str))


def _splits_of(source: Source, opened: Opener, home: str) -> tuple[str, ...]:
    names = saved_splits(opened)
    if names is None:
        return ()
    if source.split not in names:
        raise NotFoundError(
            f"the saved dataset has no split {source.split!r}",
            source=source.name,
            file=home,
            hint=f"It has {', '.join(names) or 'none'}; say split = … in the source's entry.",
        )
    return names


def _json_of(path: str, opened: Opener) -> Mapping[str, object]:
    try:
        with opened(path) as local:
            found = json.loads(local.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
