"""Which files of a folder are a source's, and why each of the others is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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


def files_of_folder(source: Source, folder: Path) -> tuple[dict[str, Path], tuple[NotRead, ...]]:
    """Give a folder's files of data, by path, and those that are none.

    Of a dataset that the datasets library saved, they are those of the source's split. Raises
    `NotFoundError` if there is no such split, or a file of it is gone.
    """
    splits = _splits_of(source, folder)
    found: dict[str, Path] = {}
    not_read: list[NotRead] = []
    states: dict[Path, frozenset[str] | None] = {}
    for path, local in _below(folder):
        if local.parent not in states:
            states[local.parent] = _saved_files(local.parent)
        reason = _why_not(local, Path(path), states[local.parent])
        if not reason and splits:
            split = Path(path).parts[0] if len(Path(path).parts) > 1 else ""
            if split not in splits:
                reason = "lies beside a saved dataset"
            elif split != source.split:
                reason = f"of the split {split!r}, not {source.split!r}"
        if reason:
            not_read.append(NotRead(path, reason))
        else:
            found[path] = local
    _refuse_gaps(source, folder, states, splits)
    more = len(not_read) - _NAMED
    if more > 0:
        not_read[_NAMED:] = [NotRead("…", f"{more:,} more files")]
    return found, tuple(not_read)


def _refuse_gaps(
    source: Source,
    folder: Path,
    states: Mapping[Path, frozenset[str] | None],
    splits: tuple[str, ...],
) -> None:
    """Raise `NotFoundError` if a saved dataset names a file that is not there."""
    for saved, names in states.items():
        if splits and saved != folder / source.split:
            continue
        gone = sorted(name for name in names or () if not (saved / name).is_file())
        if gone:
            raise NotFoundError(
                f"the saved dataset names {len(gone)} files that are not there"
                if len(gone) > 1
                else "the saved dataset names a file that is not there",
                source=source.name,
                file=str(saved / gone[0]),
                hint="Copy the whole folder again, or save the dataset anew.",
            )


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    named = ((local.relative_to(folder).as_posix(), local) for local in folder.rglob("*"))
    return (each for each in sorted(named) if each[1].is_file())


def _why_not(local: Path, path: Path, saved: frozenset[str] | None) -> str:
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
    return "" if _has_format(local) else "its ending is none that is read"


def _has_format(local: Path) -> bool:
    if local.suffix.lower() != ".zip" or format_of(local.name) is not None:
        return format_of(local.name) is not None
    try:
        if local.stat().st_size == 0:
            return True
        return format_of(plain_name(local, local.name)) is not None
    except (DataError, OSError):
        return True  # what is wrong with it is said where it is read


def _saved_files(folder: Path) -> frozenset[str] | None:
    """Give the names of the data files that a saved dataset says it has; None if it is none."""
    state = _json_of(folder / _STATE)
    files = state.get("_data_files")
    if not isinstance(files, list):
        return None
    names = (file.get("filename") for file in files if isinstance(file, dict))
    return frozenset(name for name in names if isinstance(name, str))


def _splits_of(source: Source, folder: Path) -> tuple[str, ...]:
    """Give the splits of a folder that `DatasetDict.save_to_disk` wrote; () for another."""
    splits = _json_of(folder / _SPLITS).get("splits")
    if not isinstance(splits, list):
        return ()
    names = tuple(split for split in splits if isinstance(split, str))
    if source.split not in names:
        raise NotFoundError(
            f"the saved dataset has no split {source.split!r}",
            source=source.name,
            file=str(folder),
            hint=f"It has {', '.join(names) or 'none'}; say split = … in the source's entry.",
        )
    return names


def _json_of(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
