"""How the corpus, the training formats and what they hold are shown; for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from mindcorpus.conversations import Role
from mindcorpus.sources import catalog
from web.api.known import FormatName, KindName
from workers.jobs.job import Job

Outdated = Literal["corpus-changed", "split-changed"]


def _told_in_full(schema: dict[str, Any]) -> None:
    # What an entry of the catalogue may leave out, an answer tells all the same.
    schema["required"] = list(schema["properties"])
    for field in schema["properties"].values():
        field.pop("default", None)


class Licence(catalog.Licence):
    """Under which terms a source may be used."""

    model_config = ConfigDict(json_schema_extra=_told_in_full)


class MergedSource(BaseModel):
    """A source as it is in the corpus."""

    name: str
    origin: str
    revision: str | None
    licence: Licence
    read: int
    kept: int


class CorpusManifest(BaseModel):
    """What the corpus was made of, in short; the manifest itself is among the artifacts."""

    schema_version: int
    settings: dict[str, Any]
    sources: list[MergedSource]


class KeptBuild(BaseModel):
    """A build that was replaced; a rollback makes it the current one again."""

    build: str
    rows: int | None = Field(description="Records in it; null where it is damaged.")
    bytes: int | None
    built: str | None
    replaced: str


class Corpus(BaseModel):
    """The corpus, if there is one, and the merge that is being made, if any."""

    exists: bool
    path: str
    rows: int | None
    bytes: int | None
    built: str | None
    warnings: list[str]
    manifest: CorpusManifest | None
    build: str | None = Field(description="Its name among the builds of the corpus.")
    kept: list[KeptBuild]
    job: Job | None


class CorpusExists(BaseModel):
    """There is a corpus already, and nobody said that it may be replaced: no job was made."""

    exists: Literal[True]
    path: str
    statistics: dict[str, Any]
    job: None


class MergeAnswer(RootModel[CorpusExists | Job]):
    """The corpus that exists, or the job that the same idempotency key made before."""


class FormatSection(BaseModel):
    """Records of one kind within a format."""

    name: str
    rows: int


class PreparedFormat(BaseModel):
    """A training format; `outdated` where it was made of another corpus, or split, than is now."""

    exists: bool
    path: str
    rows: int | None
    bytes: int | None
    built: str | None
    warnings: list[str]
    outdated: bool
    outdated_by: Outdated | None
    sections: list[FormatSection] = Field(
        description="What it holds, where that is of more than one kind."
    )
    build: str | None
    kept: list[KeptBuild]


class Prepared(BaseModel):
    """The training formats, and the prepare that is being made, if any."""

    formats: dict[FormatName, PreparedFormat]
    job: Job | None


class SettingDifference(BaseModel):
    """A setting of a format that is there, or of the corpus' split, and what was asked for."""

    model_config = ConfigDict(populate_by_name=True)

    setting: str
    is_: Any = Field(alias="is", description="As it is; null: not set.")
    would_be: Any


class FormatThatStays(PreparedFormat):
    """A training format that was asked for, and is not made."""

    differs: list[SettingDifference] = Field(
        description="How it would change with `force`; none: it is up to date, or damaged."
    )


class PreparedExist(BaseModel):
    """No format that was asked for is due, and nobody said that any may be replaced: no job."""

    exists: Literal[True]
    formats: dict[FormatName, FormatThatStays]
    job: None


class OfferedSection(BaseModel):
    """Records of one kind that a format would hold."""

    name: str
    takes: Literal["answers", "pairs"]
    rows: int


class OfferedFormat(BaseModel):
    """A training format as it can be had."""

    name: FormatName
    title: str
    summary: str
    task: str
    readers: list[str] = Field(description="Who reads it with code of theirs.")
    others: list[str] = Field(description="Who else takes it by what they publish.")
    proof: Literal["loader", "schema", "none"] = Field(
        description="How that is proved: by the readers' own loaders, or by a schema of a page."
    )
    path: str
    rows: int | None = Field(description="Records that it would hold today; null without a corpus.")
    sections: list[OfferedSection]
    in_all: bool = Field(description="Whether it is one of the guide's, which `all` means.")
    exists: bool
    damaged: bool = Field(description="Whether what is there cannot be read.")
    outdated: bool
    outdated_by: Outdated | None
    tokens: dict[str, Any] | None = Field(
        description="How long its records are in tokens; null where it is not made."
    )
    trained_tokens: int = Field(description="Tokens of its train part; 0 where it is not made.")
    snippet: str = Field(description="Python or commands that load it; empty where none.")


class OfferedFormats(BaseModel):
    """The training formats, whether or not they exist."""

    formats: list[OfferedFormat]


class PrepareAnswer(RootModel[PreparedExist | Job]):
    """The formats that exist, or the job that the same idempotency key made before."""


class RollbackAnswer(BaseModel):
    """What is current now, and what it replaced; null where it was current already."""

    kind: KindName
    build: str
    replaced: str | None
    rows: int
    path: str


class CatalogueSource(BaseModel):
    """A source of the catalogue: what it is, where it lives, and under which terms."""

    name: str
    title: str
    home: str
    revision: str
    licence: Licence
    commercial: bool = Field(description="Whether `commercial_only` takes it.")
    type: str
    tags: list[str]
    note: str
    absent: str = Field(description="How to add it, where it has no public home.")


class BrokenSource(BaseModel):
    """A source that was added, and whose entry cannot be read."""

    name: str
    reason: str


class Catalogue(BaseModel):
    """The sources, in the order in which they are merged."""

    sources: list[CatalogueSource]
    broken: list[BrokenSource] = Field(
        description="Merges that would take one of these fail, and say so."
    )


class InspectedText(BaseModel):
    """How the text of a file is written."""

    encoding: str
    guessed: bool = Field(description="Whether nothing says the encoding but the text itself.")
    confidence: float | None = Field(
        description="What a guess needs at least to be taken; null where nothing was guessed."
    )
    delimiter: str | None = Field(description="Between the cells of a table.")
    header: list[str] = Field(description="The columns that a table's first row names.")
    rows_under: str = Field(description="The key of a JSON object under which the rows are.")


class InspectedFile(BaseModel):
    """A file of what may become a source."""

    path: str
    format: str | None = Field(description="Null for a zip that was not looked at.")
    compression: str | None
    bytes: int | None = Field(description="Null for one that was not fetched.")
    rows: int | None
    counted: bool = Field(description="Whether rows were counted; else they are estimated.")
    text: InspectedText | None = Field(
        description="Null for a file that is no text, or was not looked at."
    )


class FileNotRead(BaseModel):
    """A file of a folder that a merge does not read."""

    path: str
    reason: str


class InspectedLayout(BaseModel):
    """How rows are laid out, and the adapter that reads them."""

    name: str
    adapter: str
    options: dict[str, Any]
    columns: list[str]
    reason: str


class ColumnLengths(BaseModel):
    """Shortest, median and longest."""

    least: int
    median: int
    most: int


class InspectedColumn(BaseModel):
    """A column of the first rows; nothing of what stands in it."""

    name: str
    types: list[str]
    filled: int
    characters: ColumnLengths | None
    items: ColumnLengths | None


class PreviewedRecord(BaseModel):
    """A record as a merge would make it; long texts are cut."""

    row: int
    input: str
    response: str
    rejected_response: str
    tags: list[str]
    changed: list[str]
    messages: list[dict[str, Any]]


class Preview(BaseModel):
    """What a merge would make of the first rows of the first file."""

    rows: int
    whole: bool = Field(description="Whether these are all rows of the file.")
    bytes: int
    kept: int
    dropped: dict[str, int] = Field(description="Rows by reason.")
    examples: dict[str, int] = Field(description="The first row of each reason.")
    changed: dict[str, int]
    records: list[PreviewedRecord] | None = Field(
        description="Five of them; null for a token that may not read."
    )


class FoundLicence(Licence):
    """The licence, and what says so."""

    said_by: str


class InspectionAnswer(BaseModel):
    """What may become a source."""

    files: list[InspectedFile]
    not_read: list[FileNotRead] = Field(description="What else is in the folder, and why.")
    split: str
    splits: list[str]
    config: str
    configurations: list[str]
    layout: InspectedLayout | None
    columns: list[InspectedColumn]
    columns_of_rows: int
    preview: Preview | None
    licence: FoundLicence
    entry: str = Field(description="The catalogue entry, as TOML; empty if no layout is known.")


class Statistics(BaseModel):
    """The corpus in numbers."""

    records: int
    by_source: dict[str, int]
    by_type: dict[str, int]
    by_tag: dict[str, int]
    lengths: dict[str, Any]
    percentiles: str = Field(
        "", description="The method of percentiles; not told of a corpus of an earlier release."
    )
    sources: dict[str, Any]
    overlap: list[dict[str, Any]]
    losses: list[dict[str, Any]] = Field(
        [], description="Sources that lost so many rows that it is a warning; likewise."
    )


def _told_where_given(schema: dict[str, Any]) -> None:
    # A key that says nothing is not there: no value stands for that.
    for name, field in schema["properties"].items():
        if name not in schema["required"]:
            field.pop("default", None)


class Message(BaseModel):
    """A turn of a conversation; a key that its source does not give is not there."""

    model_config = ConfigDict(json_schema_extra=_told_where_given)

    role: Role
    content: str | None = Field(description="Null where a turn only calls tools.")
    name: str = ""
    weight: int = Field(1, description="0: not to be learnt from.")
    tool_calls: list[Any] = Field([], description="As the source has them.")
    tool_call_id: str = Field("", description="The call that a tool answers.")
    reasoning_content: str = Field("", description="What it thought before it answered.")


class Record(BaseModel):
    """A record and its row in the corpus.

    What stands behind `tags` is null where input and response say all.
    """

    row: int
    input: str
    response: str
    rejected_response: str
    source: str
    type: str
    tags: list[str]
    messages: list[Message] | None = Field(description="The whole conversation.")
    rejected_messages: list[Message] | None = Field(
        description="Of a preference pair: the other conversation, with the beginning of both."
    )
    tools: Any = Field(description="The schemas of the tools that it may call, in a list.")
    parallel_tool_calls: bool | None
    metadata: dict[str, Any] | None = Field(description="Columns that the source's entry keeps.")


class RecordPage(BaseModel):
    """Some records that match; `matched` counts all that do."""

    records: list[Record]
    matched: int
    next_offset: int | None


class Lineage(BaseModel):
    """Where a record came from."""

    source: str
    type: str
    file: str
    revision: str | None
    licence: str
    row: int
    item: int | None
    changed: str | None
    corpus_row: int
    holds: list[str] = Field(
        description="What its conversation has that input and response do not say."
    )
    grouped: bool = Field(
        description="Whether it belongs together with others by a column that its entry names."
    )


class RecordWithLineage(BaseModel):
    """A record and where it came from."""

    record: Record
    lineage: Lineage


class ArtifactFile(BaseModel):
    """A file to download, or a folder, which is sent as one archive."""

    path: str
    url: str
    folder: bool
    media_type: str
    bytes: int
    sha256: str | None = Field(description="Of a file; archives have none.")
    rows: int | None = Field(description="Records in it, null where it holds none.")


class Artifacts(BaseModel):
    """What there is to download, by kind."""

    artifacts: dict[KindName, list[ArtifactFile]]
