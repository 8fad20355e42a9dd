"""Settings of the web server, beside those of the jobs."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from workers.settings import ServiceSettings


class WebSettings(ServiceSettings):
    """Where the API listens, who may use it, and how much of it."""

    host: str = Field("127.0.0.1", min_length=1, description="Address that the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the API listens on.")
    socket: Path | None = Field(
        None, description="Unix socket to listen on instead, for a proxy of the same host."
    )
    hosts: tuple[str, ...] = Field(
        (),
        description="Names that the service has, as a JSON list; `.example.org` for all below.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Proxies whose `X-Forwarded-` headers count, as a JSON list of addresses, "
        "networks, or `unix` for the socket.",
    )
    token: SecretStr | None = Field(
        None,
        min_length=16,
        description="A ready token that may read and write, beside those of the tokens file.",
    )
    state_dir: Path | None = Field(
        None,
        description="Folder of tokens, keys and the audit log; by default `data_dir` with `-state` "
        "behind it. The web server's alone: workers must not have it.",
    )
    tokens_file: Path | None = Field(
        None, description="File of the tokens; by default `tokens.json` in `state_dir`."
    )
    post_limit: str = Field(
        "60/minute",
        pattern=r"^\d+/(second|minute|hour|day)$",
        description="How many POST and DELETE requests that change something one token may make.",
    )
    body_limit_kb: int = Field(64, ge=1, description="Largest body of a request, in KiB.")
    stream_limit: int = Field(
        100, ge=1, description="Streams of events that one web process keeps open."
    )
    audit_days: int = Field(365, ge=1, description="Days that the audit log keeps what was done.")
    failed_limit: str = Field(
        "10/minute",
        pattern=r"^\d+/(second|minute|hour|day)$",
        description="How many wrong tokens one address may present before it has to wait.",
    )
    request_seconds: float = Field(
        15.0, gt=0, description="Seconds in which all of a request must have arrived."
    )
    send_seconds: float = Field(
        60.0, gt=0, description="Seconds that a client may take no byte of its answer."
    )
    read_limit: int = Field(
        32, ge=1, description="Pages and lists that one web process makes at the same time."
    )
    search_limit: int = Field(
        8, ge=1, description="Searches of the corpus that one web process makes at the same time."
    )
    download_limit: int = Field(
        200, ge=1, description="Downloads that one web process sends at the same time."
    )
    token_streams: int = Field(
        25, ge=1, description="Streams of events that one token may keep open at one web process."
    )
    token_downloads: int = Field(
        16,
        ge=1,
        description="Downloads that one token may have open at one web process.",
    )
    session_hours: float = Field(
        12.0, gt=0, description="Hours after which the dashboard asks for a token again."
    )
    session_idle_minutes: float = Field(
        60.0, gt=0, description="Minutes without a visit after which it does so, too."
    )

    sso_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        description="Header in which a proxy names the user, such as X-Forwarded-User.",
    )
    sso_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks of those proxies, as a JSON list; no other counts."
    )
    sso_users: Path | None = Field(
        None, description="TOML file with the scopes of each user that is let in so."
    )

    @field_validator("sso_proxies")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ip_network(each, strict=False)
        return value

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = (self.sso_header, self.sso_proxies, self.sso_users)
        if any(given) and not all(given):
            raise ValueError("sso_header, sso_proxies and sso_users go together")
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _all_are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each != "unix":
                ip_network(each, strict=False)
        return value

    @field_validator("token", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        # Compose files pass on unset variables as empty ones, and "" must never open a door.
        return None if value == "" else value

    @property
    def state_path(self) -> Path:
        """Where the state folder is, or will be."""
        # Not `with_name`: the data folder may be called `.`, or be a link.
        return self.state_dir or Path(f"{self.data_dir.absolute()}-state")

    @property
    def tokens_path(self) -> Path:
        """Where the tokens file is, or will be."""
        return self.tokens_file or self.state_path / "tokens.json"
