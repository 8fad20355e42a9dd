"""Which files a split of a hub repository is, decided by the `datasets` library itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mindcorpus.errors import NotFoundError
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.file_formats import KNOWN_ENDINGS, may_hold_rows

#: The files whose contents, not only names, decide: they hold the `configs` block.
CARDS = ("README.md", ".huggingface.yaml")

_NAME_THEM = "Name the files to read in the source's entry ([[source.files]])."


def files_of_split(
    source: Source, names: Iterable[str], cards: Mapping[str, bytes]
) -> tuple[str, ...]:
    """Give the paths of the files of `source.split`, in the library's order.

    `names` are all files of the repository, `cards` the contents of those of `CARDS` it has. The
    library is shown a folder of empty files with these names, so it asks the network for nothing.
    Raises `NotFoundError`, with the advice to name the files.
    """
    repository = (source.repository or "").rpartition("/")[2]
    names = [name for name in names if ".." not in PurePosixPath(name).parts]
    if f"{repository}.py" in names:
        raise NotFoundError(
            "the repository needs its own loading script, which datasets no longer runs",
            source=source.name,
            file=f"{repository}.py",
            hint=_NAME_THEM,
        )
    with tempfile.TemporaryDirectory(prefix="mindcorpus-") as scratch:
        folder = Path(scratch).resolve() / repository
        for name in names:
            # An old by-product; if it is there, its contents are read too.
            if name != "dataset_infos.json":
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(cards.get(name, b""))
        splits = _splits(source, folder, Path(scratch) / "cache")
        if source.split not in splits:
            raise NotFoundError(
                f"the repository has no split {source.split!r}",
                source=source.name,
                hint=f"It has {', '.join(map(str, splits)) or 'none'}; or: {_NAME_THEM}",
            )
        found = [Path(path) for path in splits[source.split]]
        paths = tuple(
            path.relative_to(folder).as_posix() for path in found if folder in path.parents
        )
    unknown = [path for path in paths if not may_hold_rows(path)]
    if unknown or not paths:
        raise NotFoundError(
            f"the split {source.split!r} is not made of files that can be read here",
            source=source.name,
            file=unknown[0] if unknown else None,
            hint=f"Files end in {KNOWN_ENDINGS}. {_NAME_THEM}",
        )
    return paths


def _splits(source: Source, folder: Path, cache: Path) -> Mapping[Any, list[str]]:
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        builder = datasets.load_dataset_builder(str(folder), cache_dir=str(cache))
    except (OSError, ValueError, RuntimeError) as error:
        # Its messages name our scratch folder; the kind says what is known without it.
        empty = isinstance(error, FileNotFoundError)
        raise NotFoundError(
            "the repository holds no data files that the datasets library knows"
            if empty
            else "the datasets library cannot tell which files are to be read",
            source=source.name,
            hint=_NAME_THEM,
        ) from error
    finally:
        if shown:
            datasets.enable_progress_bars()
    splits: Mapping[Any, list[str]] = builder.config.data_files or {}
    return splits
