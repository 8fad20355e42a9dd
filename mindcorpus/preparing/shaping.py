"""What shapes a format, beside its corpus and the split: as its manifest has it, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import SELECTING, PrepareRequest
from mindcorpus.tokens.tokenizer import is_file, tokenizer

#: Fields that manifests have from the first release on, also where they say nothing.
_ALWAYS = ("exclude", "types", "caps")
_SHAPING = (*SELECTING, "system_prompt", "system_policy", "instruction")


class Difference(NamedTuple):
    """A setting of a format that exists, and what it would be."""

    setting: str
    is_: Any
    would_be: Any

    def __str__(self) -> str:
        return f"{self.setting}: {_told(self.is_)} -> {_told(self.would_be)}"


def shaped(request: PrepareRequest, name: str) -> dict[str, Any]:
    """Give what shapes a format, of a request with its defaults filled in, as JSON values."""
    values = request.model_dump(mode="json")
    found: dict[str, Any] = {}
    for field in (*SELECTING, *FORMATS[name].settings):
        value = values[field]
        if field == "tokenizer" and value is not None and is_file(value):
            # By its name: a path of this machine stands in no manifest.
            value = tokenizer(value).name
        if field in _ALWAYS or value not in (None, [], {}):
            found[field] = dict(sorted(value.items())) if isinstance(value, dict) else value
    return found


def request_of(settings: Mapping[str, Any], asked: PrepareRequest) -> PrepareRequest:
    """Give the request that a manifest's settings came from; the rest is as `asked` has it."""
    known = {name: value for name, value in settings.items() if name in _SHAPING}
    plain = PrepareRequest.of(**known)
    return asked.model_copy(
        update={name: getattr(plain, name) for name in dict.fromkeys((*SELECTING, *known))}
    )


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[Difference]:
    """Tell what would change; what is not said is as if nothing was."""
    found = []
    for name in dict.fromkeys((*there, *wanted)):
        if name in _SHAPING:
            before, after = (each.get(name) or None for each in (there, wanted))
            if before != after:
                found.append(Difference(name, before, after))
    return found


def _told(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}={each:g}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
