"""What a request chooses: the sources and the row stages, with their options."""

from __future__ import annotations

from pathlib import Path

from mindcorpus.errors import SettingsError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.options import by_owner
from mindcorpus.settings import Settings
from mindcorpus.sources.added import Added, read_added
from mindcorpus.sources.catalog import Catalog, load_catalog
from mindcorpus.stages.registry import STAGES, ChosenStages, choose, names_of


def with_added(request: MergeRequest, settings: Settings) -> MergeRequest:
    """Give a request with the names of all entries that a data folder has now and it does not omit.

    Named they are the same for all steps of a merge, whatever is added meanwhile. Raises
    `CatalogError` for one that is wrong and would be merged.
    """
    found = read_added(settings.data_dir)
    for name, error in found.broken.items():
        named = request.sources is None or name in request.sources
        if named and name not in request.exclude:
            raise error
    # One that cannot be read is in no catalogue that it could be left out of.
    exclude = tuple(name for name in request.exclude if name not in found.broken)
    return request.model_copy(update={"added": tuple(found.sources), "exclude": exclude})


def choose_sources(request: MergeRequest, settings: Settings | None = None) -> Catalog:
    """Give the catalogue of the sources that a request names.

    `settings` name the data folder that `request.added` is of. Raises `CatalogError` and
    `SettingsError`.
    """
    catalog = _all_of(request, settings)
    of_stages = _of_stages(request)
    of_sources = {
        target: value for target, value in request.options.items() if target not in of_stages
    }
    for owner in by_owner(request.options):
        if owner in catalog.names and owner in STAGES:
            raise SettingsError(
                f"both a source and a row stage are called {owner!r}",
                field="options",
                hint="Give the source another name: whose option is meant cannot be told.",
            )
        if owner not in catalog.names and owner not in STAGES:
            raise SettingsError(
                f"no source or row stage is called {owner!r}",
                field="options",
                hint=f"There are {', '.join((*catalog.names, *STAGES))}.",
            )
    if unknown := sorted(set(request.allow_loss) - {*catalog.names}):
        raise SettingsError(
            f"no source is called {unknown[0]!r}",
            field="allow_loss",
            hint=f"The catalogue holds {', '.join(catalog.names)}.",
        )
    return catalog.with_options(of_sources).choose(
        request.sources, request.exclude, commercial_only=request.commercial_only
    )


def _all_of(request: MergeRequest, settings: Settings | None) -> Catalog:
    files = [Path(file) for file in request.catalogs]
    if settings is None or not request.added:
        return load_catalog(files)
    found: Added = read_added(settings.data_dir, request.added)
    for error in found.broken.values():
        raise error
    return found.catalog(files)


def choose_stages(request: MergeRequest) -> ChosenStages:
    """Load the row stages that a request names; raises `SettingsError`, also for what one lacks."""
    # Late: it loads pyarrow, and who only wants the sources need not.
    from mindcorpus.merging.part_index import index_schema

    stages = choose(request.stages, _of_stages(request))
    columns = index_schema(stages.of_records).names
    if twice := sorted({name for name in columns if columns.count(name) > 1}):
        raise SettingsError(
            f"two row stages give {', '.join(twice)}, or one does what is there already",
            field="stages",
            hint="Leave one of them out, or give its column another name.",
        )
    names = [name for name in names_of(request.stages) if STAGES[name].sees == "corpus"]
    for name, stage in zip(names, stages.of_corpus, strict=True):
        if lacking := sorted({*stage.needs} - {*columns}):
            raise SettingsError(
                f"the row stage {name!r} needs {', '.join(lacking)} of each record, and no stage "
                "that runs gives it",
                field="stages",
                hint="Name the stage that gives it as well.",
            )
    return stages


def names_stages(request: MergeRequest) -> bool:
    """Whether a request says anything of row stages."""
    return request.stages is not None or bool(_of_stages(request))


def _of_stages(request: MergeRequest) -> dict[str, str]:
    return {
        target: value
        for target, value in request.options.items()
        if target.rpartition(".")[0] in STAGES
    }
