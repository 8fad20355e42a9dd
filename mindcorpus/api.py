"""The functions users were promised, each a line of Python for the whole job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack, overload

from mindcorpus.errors import SettingsError
from mindcorpus.formats.registry import ALL, names_of
from mindcorpus.job_requests import MergeRequest, OverLength, PrepareRequest, SystemPolicy
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.progress import Cancellation, Reporter, checking, silent
from mindcorpus.settings import Settings
from mindcorpus.storage.rollback import RolledBack, roll_back
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    from mindcorpus.inspection.inspecting import Inspection
    from mindcorpus.preparing.offer import Offer
    from mindcorpus.pushing.push import PushResult

Folder = str | Path
#: What may be said beside the fields of a request.
_BESIDE = ("settings", "report", "cancel")


def merge_all_datasets(
    data_dir: Folder | None = None,
    *,
    sample: bool = False,
    sources: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    commercial_only: bool = False,
    allow_missing: bool = False,
    allow_loss: Mapping[str, float] | None = None,
    force: bool = False,
    catalogs: Iterable[Folder] = (),
    paths: Mapping[str, Folder] | None = None,
    revisions: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    upgrade: Iterable[str] = (),
    stages: Iterable[str] | None = None,
    rehash: bool = False,
    settings: Settings | None = None,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> MergeResult:
    """Merge the sources into one corpus in `data_dir`.

    Without one it is `MINDCORPUS_DATA_DIR`, or `datasets`.

    `MergeRequest` explains the choices, `mindcorpus.merge` the errors.
    """
    request = MergeRequest.of(
        sample=sample,
        sources=tuple(sources) if sources is not None else None,
        exclude=tuple(exclude),
        commercial_only=commercial_only,
        allow_missing=allow_missing,
        allow_loss=dict(allow_loss or {}),
        force=force,
        catalogs=tuple(str(file) for file in catalogs),
        paths={name: str(path) for name, path in (paths or {}).items()},
        revisions=dict(revisions or {}),
        options=dict(options or {}),
        upgrade=tuple(upgrade),
        stages=tuple(stages) if stages is not None else None,
        rehash=rehash,
    )
    return merge(request, _settings(data_dir, settings), report, cancel)


def inspect_source(
    where: Folder,
    data_dir: Folder | None = None,
    *,
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - as the entry's key is called
    licence: str | None = None,
    config: str | None = None,
    split: str | None = None,
    settings: Settings | None = None,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> Inspection:
    """Look at a path, a repository of the hub (`owner/name`) or a URL that may become a source.

    Gives what it is, what a merge would make of its first rows, and the catalogue entry as TOML.
    `mindcorpus.inspection.inspecting` explains the choices and the errors.
    """
    # Late: of those who merge and prepare nobody pays for it.
    from mindcorpus.inspection.inspecting import inspect_source as inspect

    return inspect(
        str(where),
        _settings(data_dir, settings),
        name=name,
        type_=type,
        licence=licence,
        config=config,
        split=split,
        report=report,
        cancel=cancel,
    )


def merged_dataset_exists(data_dir: Folder | None = None) -> bool:
    """Tell whether a merged corpus was published."""
    return Store(_settings(data_dir).data_dir).corpus_exists()


def get_merged_dataset_path(data_dir: Folder | None = None) -> Path:
    """Give the path of the merged JSON file, whether or not it is there yet."""
    return Store(_settings(data_dir).data_dir).path("corpus")


class Choices(TypedDict, total=False):
    """What a preparation may be told; `PrepareRequest` explains all but the last three."""

    sources: Iterable[str]
    exclude: Iterable[str]
    types: Iterable[str]
    tags: Iterable[str]
    min_words: int | None
    max_words: int | None
    max_tokens: int | None
    over_length: OverLength | None
    tokenizer: str | None
    caps: Mapping[str, int]
    mix: Mapping[str, float]
    force: bool
    seed: int | None
    system_prompt: str | None
    system_policy: SystemPolicy | None
    instruction: str | None
    validation_share: float | None
    test_share: float | None
    folds: int | None
    settings: Settings
    report: Reporter
    cancel: Cancellation


@overload
def prepare_for(
    name: str, data_dir: Folder | None = None, **choices: Unpack[Choices]
) -> PrepareResult: ...


@overload
def prepare_for(
    name: list[str] | tuple[str, ...], data_dir: Folder | None = None, **choices: Unpack[Choices]
) -> dict[str, PrepareResult]: ...


def prepare_for(
    name: str | list[str] | tuple[str, ...],
    data_dir: Folder | None = None,
    **choices: Unpack[Choices],
) -> PrepareResult | dict[str, PrepareResult]:
    """Prepare a format by its name, or several in one reading of the corpus.

    Of several it gives the results by name. `mindcorpus.prepare` explains the errors.
    """
    if isinstance(name, str):
        return _prepare((name,), data_dir, choices)[name]
    names = tuple(name)
    if not names:
        raise SettingsError("no format is named", field="formats")
    return _prepare(names, data_dir, choices)


def prepare_for_openai(data_dir: Folder | None = None, **choices: Unpack[Choices]) -> PrepareResult:
    """Prepare OpenAI chat JSON lines from the corpus; `mindcorpus.prepare` explains the errors."""
    return prepare_for("openai", data_dir, **choices)


def prepare_for_huggingface(
    data_dir: Folder | None = None, **choices: Unpack[Choices]
) -> PrepareResult:
    """Prepare the Hugging Face folder from the corpus; `mindcorpus.prepare` explains the errors."""
    return prepare_for("huggingface", data_dir, **choices)


def prepare_all_formats(
    data_dir: Folder | None = None, **choices: Unpack[Choices]
) -> dict[str, PrepareResult]:
    """Prepare the formats of `all`: the guide's, and what `MINDCORPUS_FORMATS` adds; by format."""
    return _prepare((), data_dir, choices)


def formats(data_dir: Folder | None = None, *, settings: Settings | None = None) -> list[Offer]:
    """List the training formats: what each is for, holds of the corpus today, and how it stands.

    Raises `CorruptArtifactError`.
    """
    from mindcorpus.preparing.offer import count_rows_there, offers

    store = Store(_settings(data_dir, settings).data_dir)
    return offers(store, count_rows_there(store), store.data_dir)


def prepared_datasets_exist(data_dir: Folder | None = None) -> dict[str, bool]:
    """Tell whether each format was published: those of the guide, and what else exists."""
    return Store(_settings(data_dir).data_dir).prepared()


def rollback(
    data_dir: Folder | None = None,
    build: str | None = None,
    *,
    kind: str | None = None,
    settings: Settings | None = None,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> RolledBack:
    """Make an earlier build of the corpus, or of a format, the current one again.

    Without `build` it is the last one that was replaced, of the corpus if no `kind` is named; the
    one that it replaces is kept in its turn. `Store.status` names those that are kept. Raises
    `NoBuildError`, and `CorruptArtifactError` for one that is not what its manifest says.
    """
    store = Store.of(_settings(data_dir, settings))
    tick = checking(kind or "corpus", None, report, cancel or Cancellation())
    return roll_back(store, kind, build, tick)


def push(
    target: str,
    data_dir: Folder | None = None,
    *,
    format: str | None = None,  # noqa: A002 - as the command's option is called
    public: bool = False,
    settings: Settings | None = None,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
) -> PushResult:
    """Send the corpus, or a format, to a repository of the hub, a storage or a folder.

    `target` is `owner/name`, an address such as `s3://bucket/prefix`, or a folder such as `./out`;
    `public` says that others may read it there. `mindcorpus.pushing.push` explains the errors.
    """
    # Late: of those who merge and prepare nobody pays for it.
    from mindcorpus.pushing.push import push as send

    settings = _settings(data_dir, settings)
    return send(target, format or "corpus", settings, report, cancel, public=public)


def _prepare(
    names: tuple[str, ...], data_dir: Folder | None, choices: Choices
) -> dict[str, PrepareResult]:
    # Nobody checks a TypedDict at run time; a misspelt choice must not pass for none.
    if unknown := sorted(set(choices) - set(Choices.__annotations__)):
        raise TypeError(
            f"unknown choice {unknown[0]!r}; there are {', '.join(Choices.__annotations__)}"
        )
    fields = {name: _plain(value) for name, value in choices.items() if name not in _BESIDE}
    settings = _settings(data_dir, choices.get("settings"))
    names = names or names_of(ALL, added=settings.formats)
    return prepare(
        PrepareRequest.of(formats=names, **fields),
        settings,
        choices.get("report", silent),
        choices.get("cancel"),
    )


def _plain(value: object) -> object:
    """Give what is iterated over, or mapped, as a request has it."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return tuple(value)
    return value


def _settings(data_dir: Folder | None, settings: Settings | None = None) -> Settings:
    if settings is None:
        return Settings.load(data_dir=data_dir)
    return settings.model_copy(update={"data_dir": Path(data_dir)}) if data_dir else settings
