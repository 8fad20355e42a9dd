"""Where an artifact is pushed to: a repository of the hub, a storage by its address, a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mindcorpus.errors import SettingsError

#: Schemes of storages, and the extra that brings what opens them.
STORAGES: Mapping[str, str] = {"s3": "s3", "gs": "gs", "az": "az"}
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_FORMS = "OWNER/NAME on the hub, s3://…, gs://…, az://…, or a folder such as ./shared"


@dataclass(frozen=True)
class Repository:
    """A data set of the hub."""

    name: str
    """`owner/name`."""


@dataclass(frozen=True)
class Place:
    """A folder, or a prefix within a storage, that holds a folder for each push."""

    address: str
    scheme: str = ""
    """That of a storage; "" for a folder of this machine."""


def read_target(text: str) -> Repository | Place:
    """Tell what a target is; raises `SettingsError` for what is none, or may be two things."""
    scheme, mark, rest = text.partition("://")
    if mark:
        if scheme not in STORAGES or not rest.strip("/"):
            raise SettingsError(
                "that is no place to push to", field="target", hint=f"Say {_FORMS}."
            )
        return Place(text.rstrip("/"), scheme)
    if text.startswith(("/", "./", "../", "~")) or text in (".", ".."):
        return Place(str(Path(text).expanduser().absolute()))
    if not _REPOSITORY.fullmatch(text):
        raise SettingsError(
            f"{text!r} is no place to push to", field="target", hint=f"Say {_FORMS}."
        )
    if Path(text).exists():
        raise SettingsError(
            f"{text} may be a repository of the hub, and is a folder here",
            field="target",
            hint=f"Say ./{text} for the folder, or go where there is none of that name.",
        )
    return Repository(text)
