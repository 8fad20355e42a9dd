"""The sources as data: what an entry may say, and the loader that checks it.

One TOML file holds one or more `[[source]]` tables. The seven of the project lie beside this
module; a user's own file has the same form (docs/sources.md shows one of each kind).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from mindcorpus.errors import CatalogError, SettingsError
from mindcorpus.options import build, by_owner, problem, with_options
from mindcorpus.remedies import ChooseSources
from mindcorpus.sources.adapters import Adapter, LastMark
from mindcorpus.sources.auto_adapter import SEEN, Auto
from mindcorpus.sources.carried_columns import Carried
from mindcorpus.sources.file_formats import (
    Format,
    Reading,
    format_of,
    known_encoding,
    may_hold_rows,
)
from mindcorpus.sources.layouts import Layout
from mindcorpus.sources.thread_adapter import Threads

ADAPTERS: Mapping[str, type[Adapter]] = {
    "auto": Auto,
    **SEEN,
    "last_mark": LastMark,
    "threads": Threads,
}

Commercial = Literal["yes", "with-conditions", "after-payment", "no", "unknown"]
Permission = Literal["allowed", "forbidden", "unknown"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Licence(_Entry):
    """Under which terms a source may be used."""

    id: str = Field(
        min_length=1, description="SPDX identifier, or LicenseRef-… for terms SPDX has not."
    )
    terms: str = Field(min_length=1, description="The terms in a sentence.")
    url: str = ""
    commercial: Commercial = Field(
        description="Whether a product may be built on it; the first two pass --commercial-only."
    )
    redistribution: Permission = Field(
        "unknown",
        description="Whether others may be given copies; its terms say on what conditions.",
    )
    modification: Permission = Field(
        "unknown", description="Whether what is made by changing it may be given to others."
    )
    warning: str = Field("", description="What a corpus that holds the source must say of itself.")


class _Reading(_Entry):
    """How files are read, where that cannot be seen."""

    encoding: str = Field("", description="Of a text file; UTF-8, a mark, or a guess unless said.")
    delimiter: str = Field(
        "", max_length=1, description="Between a table's cells; seen in its first rows unless said."
    )
    quote: str | None = Field(
        None, max_length=1, description='Around a table\'s cells; `"` unless said, `""` for none.'
    )
    escape: str = Field("", max_length=1, description="Before a quote within a cell, if any.")
    rows: str = Field("", description="The key under which a JSON object holds the rows.")

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        return encoding and known_encoding(encoding)

    @field_validator("delimiter", "quote", "escape")
    @classmethod
    def _no_line_end(cls, text: str | None) -> str | None:
        if text in ("\r", "\n", "\0"):
            raise ValueError("must not be what ends a line")
        return text


class File(_Reading):
    """One file of a source."""

    path: str = Field(min_length=1, description="Path within the repository or folder.")
    format: Format | None = Field(None, description="By the file's ending, unless said.")
    tags: tuple[str, ...] = ()

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if path.startswith("/") or ".." in Path(path).parts:
            raise ValueError("must be a path within the repository")
        return path

    @property
    def read_as(self) -> Format | None:
        """The format the file is read as; None for a zip, whose file says it."""
        return self.format or format_of(self.path)

    @model_validator(mode="after")
    def _known_format(self) -> File:
        if self.format is None and not may_hold_rows(self.path):
            raise ValueError(f"format of {self.path!r} is not known by its ending; say format = …")
        return self


_MAPPING = {"adapter", "type", "tags", "files", "options", "group", "keep_columns"}


class Source(_Reading):
    """One source: where its files are and how a raw row becomes a record."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    title: str = ""
    repository: str | None = Field(None, pattern=r"^\w[\w.-]*/\w[\w.-]*$")
    url: str | None = Field(None, pattern=r"^https?://")
    path: str | None = None
    revision: str = "main"
    files: tuple[File, ...] = ()
    config: str = Field("", description="Which of a repository's configurations to read.")
    split: str = Field("train", description="Which split to read where no files are named.")
    absent: str = Field(
        "", description="If its files are absent, skip it with these words on how to add it."
    )
    note: str = Field("", description="What a user should know whenever it is merged.")
    loss_warning: float | None = Field(
        None, ge=0, le=1, description="In place of the setting MINDCORPUS_LOSS_WARNING."
    )
    loss_limit: float | None = Field(
        None, ge=0, le=1, description="In place of the setting MINDCORPUS_LOSS_LIMIT."
    )
    licence: Licence
    adapter: str = Field("auto", description="`columns` where options name columns, unless said.")
    type: str = Field(min_length=1)
    language: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")], ...] = (
        Field(
            (),
            description="Of its texts, as language tags: `en`, `pt-BR`; none if not known.",
        )
    )
    tags: tuple[str, ...] = ()
    group: tuple[str, ...] = Field(
        (), description="Columns whose values together say which records belong together."
    )
    keep_columns: tuple[str, ...] = Field((), description="Columns that are kept as metadata.")
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _adapter_of_options(cls, entry: Any) -> Any:
        if isinstance(entry, dict) and "adapter" not in entry:
            options = entry.get("options")
            if isinstance(options, dict) and set(options) - {"tag_columns"}:
                return {**entry, "adapter": "columns"}
        return entry

    @field_validator("adapter")
    @classmethod
    def _known_adapter(cls, adapter: str) -> str:
        if adapter not in ADAPTERS:
            raise ValueError(f"unknown adapter; there are {', '.join(sorted(ADAPTERS))}")
        return adapter

    @model_validator(mode="after")
    def _one_home(self) -> Source:
        if sum(home is not None for home in (self.repository, self.url, self.path)) != 1:
            raise ValueError("say exactly one of repository, url or path")
        if self.config and (self.repository is None or self.files):
            raise ValueError("config is of a repository of which no files are named")
        return self

    @property
    def commercial(self) -> bool:
        """Whether the source's licence allows commercial use without an act before it."""
        return self.licence.commercial in ("yes", "with-conditions")

    def reading(self, path: str) -> Reading:
        """Give what the entry says of how one of its files is read, the file's own word first."""
        file = next((file for file in self.files if file.path == path), None)
        of_file = file or _Reading()
        return Reading(
            file.format if file else None,
            of_file.encoding or self.encoding,
            of_file.delimiter or self.delimiter,
            self.quote if of_file.quote is None else of_file.quote,
            of_file.escape or self.escape,
            of_file.rows or self.rows,
            frozenset(_texts_of(self.options)),
        )

    @property
    def mapping(self) -> str:
        """All of the entry that shapes records, as JSON."""
        return self.model_dump_json(include=_MAPPING | set(_Reading.model_fields))

    def build_adapter(self, layout: Layout | None = None) -> Adapter:
        """Give the adapter with this entry's options; the loader has checked them.

        `layout` is that of a file, for an entry that leaves it to be seen.
        """
        adapter: Adapter = build(ADAPTERS[self.adapter], self.options)
        if layout is not None and isinstance(adapter, Auto):
            adapter = adapter.of(layout)
        if self.group or self.keep_columns:
            return Carried(adapter, self.group, self.keep_columns)
        return adapter


def _texts_of(options: Any) -> Iterator[str]:
    """Give all texts among an entry's options."""
    if isinstance(options, str):
        yield options
    elif isinstance(options, dict | list | tuple):
        for each in options.values() if isinstance(options, dict) else options:
            yield from _texts_of(each)


class Catalog:
    """The sources by name, in the order in which they are merged."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = {source.name: source for source in sources}

    def __iter__(self) -> Any:
        return iter(self._sources.values())

    def __len__(self) -> int:
        return len(self._sources)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(self._sources)

    def __getitem__(self, name: str) -> Source:
        """Give the source of a name; raises `SettingsError` with all names if there is none."""
        try:
            return self._sources[name]
        except KeyError:
            raise SettingsError(
                f"no source is called {name!r}",
                hint=f"The catalogue holds {', '.join(self.names)}.",
            ) from None

    def choose(
        self,
        only: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        *,
        commercial_only: bool = False,
    ) -> Catalog:
        """Give a catalogue of the sources that a merge is asked for, in the same order."""
        for name in (*(only or ()), *exclude):
            self[name]
        chosen = [
            source
            for source in self
            if (only is None or source.name in only)
            and source.name not in exclude
            and (source.commercial or not commercial_only)
        ]
        if not chosen:
            raise SettingsError("no source is left to merge", remedy=ChooseSources())
        return Catalog(chosen)

    def with_options(self, options: Mapping[str, str]) -> Catalog:
        """Give a catalogue with options changed: `{"Psych-101.max_chars": "0"}`.

        Raises `SettingsError` for an unknown source or option, or a value of the wrong type.
        """
        changed = dict(self._sources)
        for name, given in by_owner(options).items():
            source = self[name]
            new = with_options(ADAPTERS[source.adapter], name, source.options, given)
            changed[name] = source.model_copy(update={"options": new})
        return Catalog(changed.values())


# A service reads a user's files for each merge that it is asked for, and nearly always they are
# what they were: parsing two hundred lines of TOML was a third of what such a request cost.
@lru_cache(maxsize=32)
def read_entries(text: str, file: str) -> tuple[Source, ...]:
    """Read the entries of one catalogue file's text.

    Raises `CatalogError` naming the file, the entry and the field.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError(f"not TOML: {error}", file=file) from None
    unknown = sorted(set(tables) - {"source"})
    entries = tables.get("source")
    if (
        unknown
        or not isinstance(entries, list)
        or not all(isinstance(entry, dict) for entry in entries)
    ):
        raise CatalogError(
            f"holds {', '.join(unknown) or 'no source'}; a catalogue is [[source]] tables alone",
            file=file,
            hint="docs/sources.md shows an entry of each kind.",
        )
    sources = []
    for number, entry in enumerate(entries, 1):
        name = entry.get("name") or f"number {number}"
        try:
            source = Source.model_validate(entry)
        except ValidationError as error:
            field, message = problem(error)
            raise CatalogError(
                f"entry {name}: {message}", file=file, field=field or None, source=str(name)
            ) from None
        try:
            source.build_adapter()
        except ValidationError as error:
            field, message = problem(error)
            raise CatalogError(
                f"entry {name}: {message}",
                file=file,
                field=f"options.{field}" if field else "options",
                source=str(name),
            ) from None
        sources.append(source)
    return tuple(sources)


@cache
def _built_in() -> tuple[Source, ...]:
    """Read the entries that ship with the package; they do not change while it runs."""
    entries = sorted(
        (entry for entry in resources.files(__name__).iterdir() if entry.name.endswith(".toml")),
        key=lambda entry: entry.name,
    )
    return tuple(
        source for entry in entries for source in read_entries(entry.read_text("utf-8"), entry.name)
    )


def load_catalog(files: Sequence[Path] = ()) -> Catalog:
    """Load the project's seven sources, then those of a user's files, in that order.

    Raises `CatalogError` for an entry that is wrong, a file that cannot be read, or a name taken.
    """
    found = {source.name: source for source in _built_in()}
    for file in files:
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise CatalogError(f"cannot be read: {reason}", file=str(file)) from None
        for source in read_entries(text, str(file)):
            if source.name in found:
                raise CatalogError(
                    f"entry {source.name}: the name is taken", file=str(file), field="name"
                )
            home: dict[str, str] = {}
            if source.path is not None:
                home = {"path": str((file.parent / source.path).absolute())}
            found[source.name] = source.model_copy(update=home)
    return Catalog(found.values())
