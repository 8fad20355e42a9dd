"""What requests may say; the OpenAPI document is made from it.

What a job may be asked for stands in `mindcorpus.job_requests`. No request names a path or a
catalogue of the server's disk. Answers: workers/jobs/job.py has the jobs,
web/api/corpus_schemas.py the others.
"""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from mindcorpus.formats.registry import ALL
from mindcorpus.job_requests import Label, MergeBody, Name, Order, PrepareRequest
from mindcorpus.tokens.tokenizer import NAMES, is_file
from web.api.known import FormatChoice, FormatName
from workers.jobs.job import Kind, State

# Requests


class MergeOrder(Order, MergeBody):
    """Which sources to merge; {} merges all of the catalogue, unless there is a corpus."""


class PrepareBody(Order, PrepareRequest):
    """Which training formats to make, of which records; {} makes `all` of all records."""

    format: FormatChoice = Field(
        ALL, description="A format's name, or `all`: the guide's and those that exist."
    )
    formats: Annotated[tuple[FormatName, ...], Field(max_length=100, strict=False)] = Field(
        (), description="Several formats, by name, instead of `format`."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        # Whatever `format` says: who names both may mean either.
        if self.formats and "format" in self.model_fields_set:
            raise ValueError("give `format` or `formats`, not both")
        return self

    @field_validator("tokenizer")
    @classmethod
    def _no_file(cls, name: str | None) -> str | None:
        if name is None or name in NAMES:
            return name
        if is_file(name):
            raise ValueError("a file of the server is not taken over HTTP: give a name")
        raise ValueError(f"there are {', '.join(NAMES)}")


class RollbackBody(BaseModel):
    """Which build is to be current again; named, so that a request sent twice is done once."""

    model_config = ConfigDict(extra="forbid", strict=True)

    build: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[a-z0-9_-]+$",
        description="One of those that `kept` names.",
    )


class SourceBody(BaseModel):
    """What may become a source: a path or a repository, and what its entry shall say."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="File or folder, beginning with the name of a folder that the operator names.",
    )
    repository: str | None = Field(
        None,
        max_length=200,
        pattern=r"^[\w][\w.-]*/[\w][\w.-]*$",
        description="Repository on the hub, of an owner that the operator names.",
    )
    url: str | None = Field(None, max_length=2000, description="Is not taken over HTTP.")
    name: str | None = Field(
        None,
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        description="What the source is called; by default after its file or repository.",
    )
    type: str | None = Field(
        None, min_length=1, max_length=100, description="Type of its records; `conversation`."
    )
    licence: str | None = Field(
        None,
        max_length=60,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]*$",
        description="SPDX identifier; by default what its files or card say.",
    )
    config: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Configuration of the repository; the default, or the first.",
    )
    split: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Split of it, or of a saved dataset; `train`, or the first.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.url is not None:
            raise ValueError("a URL is not taken over HTTP: give `path` or `repository`")
        if (self.path is None) == (self.repository is None):
            raise ValueError("give one of `path` and `repository`")
        return self

    def choices(self) -> dict[str, str | None]:
        """Give what the inspection is told beside the place."""
        named = ("name", "licence", "config", "split")
        return {"type_": self.type, **{each: getattr(self, each) for each in named}}


class AddSourceBody(SourceBody):
    """The same, to be added to the catalogue."""

    force: bool = Field(
        default=False, description="Replace a source of this name that was added before."
    )


def _digits(value: object) -> object:
    # " 1", "+1" and "1.0" would do for pydantic; not for the document that clients are shown.
    if isinstance(value, str) and not re.fullmatch("-?[0-9]{1,16}", value):
        raise ValueError("must be a whole number")
    return value


_Whole = Annotated[int, BeforeValidator(_digits)]


class _Query(BaseModel):
    # Not strict: a query is text.
    model_config = ConfigDict(extra="forbid", frozen=True)


class JobsQuery(_Query):
    """Which jobs to list, newest first."""

    kind: Kind | None = None
    state: State | None = None
    label: Label | None = Field(None, description="The label it was asked for or joined with.")
    owner: Name | None = Field(None, description="The token that asked for it, or joined it.")
    cursor: str | None = Field(
        None, min_length=1, max_length=200, description="`next_cursor` of the page before."
    )
    limit: _Whole = Field(20, ge=1, le=100)


class RecordsQuery(_Query):
    """Which records to show, in corpus order; `offset` and `limit` count those that match."""

    offset: _Whole = Field(0, ge=0, le=2**53 - 1)
    limit: _Whole = Field(20, ge=1, le=100)
    source: Name | None = None
    type: Name | None = None
    tag: Name | None = None
    search: str | None = Field(
        None, max_length=200, description="Words that a record must hold, whatever their case."
    )
    min_words: _Whole | None = Field(None, ge=0, le=2**53 - 1)
    max_words: _Whole | None = Field(None, ge=0, le=2**53 - 1)
