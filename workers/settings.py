"""Settings of the service, beside the library's: the same class, read from the same variables."""

from __future__ import annotations

import base64
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from mindcorpus.errors import SettingsError
from mindcorpus.settings import Settings
from workers.callbacks import listed_origin

#: How a secret begins, by Standard Webhooks.
WEBHOOK_SECRET = "whsec_"  # noqa: S105 - no secret


class ServiceSettings(Settings):
    """Where jobs are kept, how long a silent worker is believed, and what a job may use up."""

    redis_url: SecretStr | None = Field(
        None,
        description="Redis of the jobs, as redis://:PASSWORD@HOST:PORT/0, rediss:// for TLS, or "
        "sentinel://:PASSWORD@HOST:PORT,HOST:PORT/0?master=NAME.",
    )
    lease_seconds: float = Field(
        15.0,
        ge=1,
        description="A job whose worker is not heard of for so long is given to another.",
    )
    sweep_seconds: float = Field(
        2.0, ge=0.1, description="Seconds between two looks for jobs that nobody looks after."
    )
    max_attempts: int = Field(
        3, ge=1, description="How often a job may lose its worker before it fails."
    )
    max_tries: int = Field(
        6, ge=1, description="How often a job is tried where the failure may pass, as a full disk."
    )
    retry_seconds: float = Field(
        5.0,
        gt=0,
        description="Longest pause before the second try, and before the third attempt; each "
        "further one doubles it.",
    )
    deadline_seconds: float = Field(
        18_000.0, gt=0, le=20_000, description="A job, or a part of one, that takes longer fails."
    )
    no_progress_seconds: float = Field(
        900.0, gt=0, description="A job that tells nothing new for so long fails."
    )
    memory_limit_mb: int = Field(
        8192, ge=512, description="Address space of each process of a job, in MiB."
    )
    disk_floor_mb: int = Field(
        512, ge=0, description="Free space, in MiB, below which no job is accepted or begun."
    )
    queue_limit: int = Field(
        1000, ge=1, description="Jobs that may wait; more are refused until some have run."
    )
    jobs_days: float = Field(
        7.0,
        gt=0,
        description="Days that a job is remembered, from its end; fewer where Redis is short of "
        "memory.",
    )
    write_part_mb: int = Field(
        512,
        ge=1,
        description="Text, in MiB, that a worker writes at a time where several write one corpus; "
        "less than four times that is written by one.",
    )
    webhook_hosts: tuple[str, ...] = Field(
        (),
        description="Hosts that `callback_url` may name, as a JSON list; one without https as "
        "`http://HOST:PORT`.",
    )
    catalogs: tuple[Path, ...] = Field(
        (), description="Catalogue files with sources of your own, as a JSON list of paths."
    )

    @field_validator("webhook_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            listed_origin(host)
        return value

    def redis(self) -> str:
        """Give the URL of Redis; raises `SettingsError` if there is none."""
        if self.redis_url is None:
            raise SettingsError(
                "setting redis_url: there is none",
                field="redis_url",
                hint="Set MINDCORPUS_REDIS_URL, or start everything with `make run`.",
            )
        return self.redis_url.get_secret_value()


class WorkerSettings(ServiceSettings):
    """What workers alone are told: neither the web server nor a job's own process has it."""

    webhook_secret: SecretStr | None = Field(
        None,
        description="What workers sign calls with: `whsec_` and 24 to 64 random bytes in base64.",
    )

    @field_validator("webhook_secret", mode="before")
    @classmethod
    def _none_if_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("webhook_secret")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            secret = value.get_secret_value()
            try:
                key = base64.b64decode(secret.removeprefix(WEBHOOK_SECRET), validate=True)
            except ValueError:
                key = b""
            if not secret.startswith(WEBHOOK_SECRET) or not 24 <= len(key) <= 64:
                raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return value
