"""Which training formats there are: an entry each, read without loading any of their modules."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from mindcorpus.registry import Registry
from mindcorpus.storage.kinds import CARD, CROISSANT, KINDS, MANIFEST, ArtifactKind

if TYPE_CHECKING:
    from mindcorpus.formats.base import Format
    from mindcorpus.job_requests import PrepareRequest

_Request = TypeVar("_Request", bound="PrepareRequest")
#: The word that stands for the formats the guide promises.
ALL = "all"


@dataclass(frozen=True)
class FormatEntry:
    """What everybody may know of a format: forms, job titles, cards, choices, paths."""

    name: str
    title: str
    """Of forms, job titles and cards."""
    summary: str
    """One sentence beside it."""
    artifact: str
    """The name of its file, without ending, or of its folder."""
    use: str
    """What to do with it: `{path}` is its path, `{path!r}` the same quoted for Python."""
    settings: tuple[str, ...] = ()
    """Fields of a `PrepareRequest` that shape it, beside the selection and the seed."""
    carries: tuple[str, ...] = ()
    """What of a conversation it can hold: words of `conversations.HOLDS`; none: the flat view."""
    suffix: str = ".jsonl"
    """The ending of its file; "" for a folder."""
    in_all: bool = False
    """Whether it belongs to `all`."""
    module: str = ""
    """Where its `Format` is; by default the module of its name in this package."""

    def __post_init__(self) -> None:
        if not self.module:
            object.__setattr__(self, "module", f"{__package__}.{self.name}")

    @property
    def kind(self) -> ArtifactKind:
        """How it is kept and found."""
        files = (f"{self.artifact}{self.suffix}", f"{self.artifact}.manifest.json")
        links = {self.artifact: ""}
        if self.suffix:
            links = {
                files[0]: files[0],
                files[1]: MANIFEST,
                f"{self.artifact}.README.md": CARD,
                f"{self.artifact}.croissant.json": CROISSANT,
            }
        return ArtifactKind(self.name, self.title, links, expected=self.in_all)


FORMATS: Registry[FormatEntry] = Registry("format")


def register(entry: FormatEntry) -> None:
    """Add a format, as those below are; it can be used at once, everywhere in this process.

    Raises `ValueError` for a name or a path that stands for something else.
    """
    taken = entry.name in KINDS and entry.name not in FORMATS
    if entry.name == ALL or taken:
        raise ValueError(f"no format can be called {entry.name!r}: that stands for something else")
    for kind in KINDS.values():
        # Two of one name share their paths: they are told where that name is asked for.
        if kind.name != entry.name and (both := kind.links.keys() & entry.kind.links.keys()):
            raise ValueError(
                f"the format {entry.name!r} cannot have {', '.join(sorted(both))}: "
                f"{kind.name!r} has it"
            )
    FORMATS.register(entry)
    KINDS.setdefault(entry.name, entry.kind)


def remove(entry: FormatEntry) -> None:
    """Take a format out again."""
    FORMATS.remove(entry)
    if entry.name not in FORMATS:
        del KINDS[entry.name]


def choices() -> tuple[str, ...]:
    """Give what may be asked for: the names, and the word for the guide's."""
    return (*FORMATS, ALL)


def names_of(
    format_: str, formats: Collection[str] = (), exists: Callable[[str], bool] | None = None
) -> tuple[str, ...]:
    """Give the names that a request stands for, in the order of the registry.

    `format_` is a name or `all`; `formats` are names, and stand for themselves. With `exists`,
    `all` means those that exist as well: they can be outdated like the others. Raises
    `SettingsError` for a name that no format has, or more than one.
    """
    if formats:
        wanted: Collection[str] = {FORMATS.find(name).name for name in formats}
    elif format_ == ALL:
        wanted = {name for name, entry in FORMATS.items() if entry.in_all}
        if exists is not None:
            # One whose name two entries have keeps none of the others from being made.
            wanted.update(name for name in FORMATS if FORMATS.is_known(name) and exists(name))
    else:
        wanted = {FORMATS.find(format_).name}
    return tuple(name for name in FORMATS if name in wanted)


def with_formats(request: _Request, names: tuple[str, ...]) -> _Request:
    """Give the same request for these formats, in the one way in which a set of them is said."""
    format_, formats = ALL, names
    if len(names) == 1:
        (format_,), formats = names, ()
    elif names == names_of(ALL):
        formats = ()
    return request.model_copy(update={"format": format_, "formats": formats})


def load(name: str) -> type[Format]:
    """Import a format's class; raises `SettingsError` as `Registry.load`."""
    return cast("type[Format]", FORMATS.load(name, "FORMAT"))


for _entry in (
    FormatEntry(
        name="openai",
        title="OpenAI chat JSON lines",
        summary="One chat a line, turn by turn, with a system message.",
        artifact="mental_health_openai",
        use="upload {path}",
        settings=("system_prompt", "system_policy"),
        carries=("turns", "system", "developer", "tools", "names", "weights"),
        in_all=True,
    ),
    FormatEntry(
        name="huggingface",
        title="Hugging Face dataset",
        summary="A flat table: a train and a validation split that share no input, and a CSV.",
        artifact="mental_health_huggingface",
        suffix="",
        use="datasets.load_from_disk({path!r}) in Python",
        settings=("instruction", "validation_share"),
        in_all=True,
    ),
    FormatEntry(
        name="sharegpt",
        title="ShareGPT JSON lines",
        summary="One chat a line, in a train and a validation file that share no input.",
        artifact="mental_health_sharegpt",
        suffix="",
        use="name {path}/train.jsonl in your trainer's list of datasets, format sharegpt",
        settings=("system_prompt", "system_policy", "validation_share"),
        carries=("turns", "system", "tools"),
    ),
):
    register(_entry)
