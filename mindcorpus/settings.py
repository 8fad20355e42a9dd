"""The one settings class: what holds for every run, from `MINDCORPUS_…` variables or arguments."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic_settings
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mindcorpus.errors import SettingsError
from mindcorpus.limits import DISK_SHARE, KEEP_BUILDS, PARTS_DAYS
from mindcorpus.system_calls import cores

SYSTEM_PROMPT = "You are a helpful mental health assistant."
INSTRUCTION = "Respond to the following message in a helpful, supportive manner:"
#: Bytes of text below which starting processes takes as long as they would save.
_FEW = 2 * 1024 * 1024


class Settings(BaseSettings):
    """Where things are kept and how work is done; `HF_ENDPOINT` and `HF_TOKEN` are honoured too."""

    model_config = SettingsConfigDict(env_prefix="MINDCORPUS_", frozen=True, extra="forbid")

    data_dir: Path = Field(Path("datasets"), description="Folder of the corpus and all artifacts.")
    cache_dir: Path | None = Field(
        None, description="Folder of downloaded files; by default the Hugging Face cache."
    )
    keep_builds: int = Field(
        KEEP_BUILDS,
        ge=0,
        le=1000,
        description="Builds of the corpus, and of each format, that stay when they are replaced.",
    )
    disk_share: float = Field(
        DISK_SHARE,
        ge=0,
        le=1,
        description="Share of the disk that kept builds and parts may take; beyond it the longest "
        "unused go.",
    )
    parts_days: float = Field(
        PARTS_DAYS,
        gt=0,
        description="Days that parts of sources, kept for the next merge, go unused.",
    )
    group: str | None = Field(
        None,
        description="Group that may read what is kept, by name or number; by default nobody else.",
    )
    workers: int = Field(
        default_factory=cores,
        ge=1,
        le=256,
        description="Processes that read and write at the same time; where it is not set, less "
        "than 2 MiB is the work of one.",
    )
    fetch_tries: int = Field(
        6, ge=1, le=100, description="How often one hub request is tried before the source fails."
    )
    fetch_timeout: float = Field(
        30.0,
        gt=0,
        description="Seconds without an answer, or a byte, before a hub request counts as failed.",
    )
    fetch_limit_mb: int = Field(
        16_384, ge=1, description="Largest file that is downloaded, in MiB."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts, addresses and networks, with commas, that sources may be fetched from"
        " though they are not public.",
    )
    source_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        description="Folders, with commas, whose files may be inspected and added as sources of a"
        " service.",
    )
    source_owners: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Owners on the hub, with commas, whose repositories may be inspected and added"
        " as sources of a service.",
    )
    file_limit_gb: float = Field(
        64.0, gt=0, description="What one source file may decode to, in GiB."
    )
    expansion_limit: int = Field(
        200,
        ge=1,
        description="How many times its own size a file may decode to, if that is over 256 MiB.",
    )
    job_limit_gb: float = Field(
        256.0, gt=0, description="What a merge may decode, and what it may write, each in GiB."
    )
    loss_warning: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of its rows beyond which it is a warning that a source lost them.",
    )
    loss_limit: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of its rows beyond which a source that lost them fails.",
    )
    system_prompt: str = Field(
        SYSTEM_PROMPT, min_length=1, description="System message of each OpenAI example."
    )
    instruction: str = Field(
        INSTRUCTION, min_length=1, description="Instruction of each Hugging Face example."
    )
    validation_share: float = Field(
        0.2, gt=0, lt=1, description="Share of rows in the validation split."
    )
    seed: int = Field(42, ge=0, description="Seed of every sample and split.")
    formats: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Formats, with commas, that `all` means beside openai and huggingface; *: every"
        " one.",
    )

    @field_validator("allowed_hosts", "source_folders", "source_owners", "formats", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        return [each for each in given.split(",") if each] if isinstance(given, str) else given

    @field_validator("allowed_hosts")
    @classmethod
    def _known_form(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        entries = tuple(each.strip().lower() for each in given)
        for entry in entries:
            if "/" in entry or ":" in entry:
                ipaddress.ip_network(entry)  # else a port, or a whole web address
        return entries

    @field_validator("source_folders")
    @classmethod
    def _from_the_root(cls, given: tuple[Path, ...]) -> tuple[Path, ...]:
        if not all(folder.is_absolute() for folder in given):
            raise ValueError("must be paths that begin with /")
        return given

    @field_validator("source_owners")
    @classmethod
    def _are_owners(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"\w[\w.-]*", owner) for owner in given):
            raise ValueError("must be names of users or organisations of the hub")
        return given

    def workers_for(self, size: int) -> int:
        """Give how many processes work on so many bytes: one on few, where nobody said how many."""
        return 1 if size < _FEW and "workers" not in self.model_fields_set else self.workers

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Build settings from the environment; values that are not None come first.

        Raises `SettingsError` naming the variable or option that is wrong.
        """
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except pydantic_settings.SettingsError as error:
            # A list of the service's that is no JSON; what it says of it ends in the field's name.
            name = str(error).split('"')[1]
            raise SettingsError(
                f"setting {name}: it is not a list in JSON",
                field=name,
                hint=f'Write MINDCORPUS_{name.upper()} as a JSON list, such as ["one"].',
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise SettingsError(
                f"setting {name}: {first['msg'].lower()}",
                field=name,
                hint=f"It was given as an option, an argument or MINDCORPUS_{name.upper()}.",
            ) from None
