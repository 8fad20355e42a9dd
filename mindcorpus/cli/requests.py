"""From the parameters of a command to the request it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_origin

from mindcorpus.job_requests import MergeRequest, PrepareRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def merge_request(given: Mapping[str, Any]) -> tuple[MergeRequest, dict[str, Any]]:
    """Give the request of `merge`, and the parameters that are none of its fields.

    Raises `SettingsError` for a value that a request cannot have.
    """
    fields, others = _sorted_out(given, MergeRequest)
    # No --source stands for all of them, and no source is no choice; no --stage likewise.
    for name in ("sources", "stages"):
        fields[name] = fields[name] or None
    return MergeRequest.of(**fields), others


def build_requests(
    given: Mapping[str, Any],
) -> tuple[MergeRequest, PrepareRequest, Path | None, int | None]:
    """Give the requests of `build`, its data folder and its workers; raises likewise."""
    merging, others = merge_request(given)
    preparing, others = prepare_request({**others, "force": merging.force})
    return merging, preparing, others["data_dir"], others["workers"]


def prepare_request(given: Mapping[str, Any]) -> tuple[PrepareRequest, dict[str, Any]]:
    """Give the request of `prepare`, likewise; one format is asked for by `format`, as ever."""
    fields, others = _sorted_out(given, PrepareRequest)
    if len(fields["formats"]) == 1:
        (fields["format"],) = fields.pop("formats")
    return PrepareRequest.of(**fields), others


def _sorted_out(
    given: Mapping[str, Any], model: type[MergeRequest | PrepareRequest]
) -> tuple[dict[str, Any], dict[str, Any]]:
    fields: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in given.items():
        if name not in model.model_fields:
            others[name] = value
        elif get_origin(model.model_fields[name].annotation) is dict:
            fields[name] = dict(value)
        else:
            fields[name] = value
    return fields, others
