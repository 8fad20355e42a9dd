"""Which files a split of a hub repository is, decided by the `datasets` library itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
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

    `names` and `cards` are as for `splits_of`. Raises `NotFoundError`, with what there is, or the
    advice to name the files.
    """
    splits = splits_of(source, names, cards)
    if source.split not in splits:
        raise NotFoundError(
            f"the repository has no split {source.split!r}",
            source=source.name,
            hint=f"It has {', '.join(splits) or 'none'}; or: {_NAME_THEM}",
        )
    paths = splits[source.split]
    if not source.config and (folders := _twins(paths)):
        raise _no_config("the repository has folders of the same files", folders, source)
    unknown = [path for path in paths if not may_hold_rows(path)]
    if unknown or not paths:
        raise NotFoundError(
            f"the split {source.split!r} is not made of files that can be read here",
            source=source.name,
            file=unknown[0] if unknown else None,
            hint=f"Files end in {KNOWN_ENDINGS}. {_NAME_THEM}",
        )
    return paths


def splits_of(
    source: Source, names: Iterable[str], cards: Mapping[str, bytes]
) -> dict[str, tuple[str, ...]]:
    """Give the files of each split, in the library's order.

    `names` are all files of the repository, `cards` the contents of those of `CARDS` it has. The
    library is shown a folder of empty files with these names, so it asks the network for nothing.
    A configuration is one that the card names, or a folder. Raises `NotFoundError`, with those
    there are, or the advice to name the files.
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
        configs = _configs(folder)
        by_folder = source.config not in configs and _is_folder(folder, source.config)
        if source.config and not by_folder and source.config not in configs:
            raise _no_config(
                f"the repository has no configuration {source.config!r}", configs, source
            )
        splits = _splits(source, folder, Path(scratch) / "cache", configs, by_folder=by_folder)
        return {
            str(split): tuple(
                path.relative_to(folder).as_posix()
                for path in map(Path, paths)
                if folder in path.parents
            )
            for split, paths in splits.items()
        }


def _no_config(title: str, configs: Sequence[str], source: Source) -> NotFoundError:
    named = ", ".join(configs) or "none"
    first = configs[0] if configs else "…"
    return NotFoundError(
        title,
        source=source.name,
        hint=f'It has {named}; say which in the source\'s entry (config = "{first}").',
    )


def _is_folder(folder: Path, config: str) -> bool:
    """Tell whether a configuration that no card names is a folder of the repository."""
    parts = PurePosixPath(config).parts
    return bool(parts) and not {"/", ".."}.intersection(parts) and (folder / config).is_dir()


def _twins(paths: Sequence[str]) -> list[str]:
    """Give the folders of which files have the same names: each is a configuration, it seems."""
    by_name: dict[str, set[str]] = {}
    for path in paths:
        top, _, rest = path.partition("/")
        if rest:
            by_name.setdefault(rest, set()).add(top)
    return sorted({top for tops in by_name.values() if len(tops) > 1 for top in tops})


def _configs(folder: Path) -> list[str]:
    """Give the configurations that a repository's card names; none if the library cannot tell."""
    import datasets

    try:
        return list(datasets.get_dataset_config_names(str(folder)))
    except (OSError, ValueError, RuntimeError):
        return []


def _splits(
    source: Source, folder: Path, cache: Path, configs: Sequence[str], *, by_folder: bool
) -> Mapping[Any, list[str]]:
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        builder = datasets.load_dataset_builder(
            str(folder),
            name=None if by_folder else source.config or None,
            data_dir=source.config if by_folder else None,
            cache_dir=str(cache),
        )
    except (OSError, ValueError, RuntimeError) as error:
        if len(configs) > 1 and not source.config:
            title = "the repository has several configurations, and none is the default"
            raise _no_config(title, configs, source) from error
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
