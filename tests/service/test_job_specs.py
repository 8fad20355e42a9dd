"""What is ordered: which parts, and which requests are the same work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mindcorpus.api import merge_all_datasets
from mindcorpus.errors import CatalogError, SettingsError
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.sources.catalog import load_catalog
from mindcorpus.stages.registry import names_of
from workers.execution.steps import request_of
from workers.jobs.job_specs import JobSpec, merge_spec, prepare_spec
from workers.settings import ServiceSettings

SETTINGS = ServiceSettings.model_validate({})
NAMES = load_catalog().names

OWN = """
[[source]]
name = "own"
path = "own"
type = "talk"
tags = []
[source.options]
input = "q"
response = "a"
[source.licence]
id = "MIT"
terms = "Keep the notice."
commercial = "yes"
"""


def merge(**request: Any) -> JobSpec:
    return merge_spec(MergeRequest(**request), SETTINGS)


def prepare(settings: dict[str, Any] | None = None, **request: Any) -> JobSpec:
    return prepare_spec(PrepareRequest(**request), ServiceSettings.model_validate(settings or {}))


def test_a_merge_has_a_part_for_each_source_in_the_catalogue_s_order() -> None:
    order = merge()
    assert (order.kind, order.queue, order.retry_of) == ("merge", "finalise", None)
    assert [part.source for part in order.parts] == list(NAMES)
    assert [part.payload for part in order.parts] == [{"source": name} for name in NAMES]
    order = merge(sources=("TRACE", "Psych-101"), exclude=("Psych-101",))
    assert [part.source for part in order.parts] == ["TRACE"]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"sources": ("nothing",)}, (CatalogError, SettingsError)),
        ({"exclude": NAMES}, SettingsError),
        ({"upgrade": ("nothing",)}, (CatalogError, SettingsError)),
        ({"revisions": {"nothing": "main"}}, (CatalogError, SettingsError)),
        ({"options": {"nothing.key": "1"}}, (CatalogError, SettingsError)),
        ({"stages": ("nothing",)}, SettingsError),
    ],
)
def test_what_cannot_be_merged_is_refused_before_there_is_a_job(
    request_: dict[str, Any], error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    with pytest.raises(error):
        merge(**request_)


def test_upgrading_every_source_names_no_source() -> None:
    assert merge(upgrade=("*",)).parts


def test_the_service_s_own_catalogues_are_used_and_no_client_s(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(OWN)
    settings = ServiceSettings.model_validate({"catalogs": (file,)})
    order = merge_spec(MergeRequest(sources=("own",)), settings)
    assert order.request["catalogs"] == [str(file)]
    with pytest.raises((CatalogError, SettingsError)):
        merge(sources=("own",), catalogs=(str(file),))


def test_the_same_work_has_the_same_key() -> None:
    merges = [
        merge(),
        merge(force=True),
        merge(sample=True),
        merge(sources=("TRACE",)),
        merge(exclude=("TRACE",)),
        merge(allow_missing=True),
        merge(commercial_only=True),
        merge(upgrade=("*",)),
        merge(revisions={"TRACE": "main"}),
    ]
    prepares = [
        prepare(),
        prepare(format="openai"),
        prepare(caps={"TRACE": 1}),
        prepare(types=("talk",)),
        prepare(seed=7),
        prepare(validation_share=0.3),
        prepare(settings={"system_prompt": "Be kind."}),
    ]
    keys = [order.content_key for order in (*merges, *prepares)]
    assert len(set(keys)) == len(keys)
    assert merge().content_key == keys[0]
    # What is not asked of the split, the settings say where nothing was split yet.
    for told in ({"seed": 7}, {"validation_share": 0.3}):
        assert prepare(settings=told).content_key == prepare(**told).content_key


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"format": "openai"}, {"formats": ("openai",)}),
        ({"format": "openai"}, {"formats": ("openai", "openai")}),
        ({"formats": ("sharegpt", "openai")}, {"formats": ("openai", "sharegpt")}),
        ({}, {"formats": ("huggingface", "openai")}),
    ],
)
def test_formats_are_a_set_however_they_are_said(one: dict[str, Any], same: dict[str, Any]) -> None:
    assert prepare(**one).content_key == prepare(**same).content_key
    assert prepare(**one).request == prepare(**same).request


def test_stages_that_are_on_are_the_same_work_named_or_not() -> None:
    assert merge(stages=names_of(None)).content_key == merge().content_key
    assert merge(stages=()).content_key != merge().content_key


def test_a_format_of_another_corpus_is_other_work(tmp_path: Path) -> None:
    settings = ServiceSettings.model_validate({"data_dir": tmp_path})
    before = prepare_spec(PrepareRequest(), settings)
    merge_all_datasets(tmp_path, sample=True, sources=["TRACE"])
    after = prepare_spec(PrepareRequest(), settings)
    assert before.content_key != after.content_key
    assert before.request == after.request
    assert prepare_spec(PrepareRequest(), settings).content_key == after.content_key


@pytest.mark.parametrize(
    "request_",
    [
        MergeRequest(),
        MergeRequest(
            sample=True,
            sources=("TRACE",),
            exclude=("Psych-101",),
            allow_missing=True,
            force=True,
            revisions={"TRACE": "main"},
            upgrade=("*",),
            allow_loss={"TRACE": 1.0},
        ),
    ],
)
def test_a_merge_request_comes_back_from_its_record(request_: MergeRequest) -> None:
    record = json.loads(json.dumps(merge_spec(request_, SETTINGS).request))
    again = request_of(MergeRequest, {"request": record})
    assert again == request_.model_copy(update={"catalogs": ()})


def test_a_request_that_allows_no_loss_is_the_work_it_was_before_there_was_a_choice() -> None:
    assert "allow_loss" not in merge().request
    assert merge(allow_loss={}).content_key == merge().content_key
    meant = merge(allow_loss={"TRACE": 0.6})
    assert meant.request["allow_loss"] == {"TRACE": 0.6}
    assert meant.content_key != merge().content_key


def test_a_prepare_request_comes_back_and_its_settings_are_fixed() -> None:
    request = PrepareRequest(format="openai", exclude=("TRACE",), types=("talk",), caps={"a": 1})
    order = prepare_spec(request, ServiceSettings.model_validate({"seed": 7}))
    record = json.loads(json.dumps(order.request))
    again = request_of(PrepareRequest, {"request": record}).from_record()
    open_ = {"seed": 7, "validation_share": SETTINGS.validation_share}
    assert again == request.with_defaults(SETTINGS.model_dump()).model_copy(update=open_)
    assert record["system_prompt"] == SETTINGS.system_prompt
    assert record["instruction"] == SETTINGS.instruction
    # How the corpus is to be split is said as well: workers of an earlier release look for it.
    assert (record["seed"], record["validation_share"]) == (7, SETTINGS.validation_share)
    asked = prepare(seed=8, validation_share=0.3, settings={"seed": 7}).request
    assert (asked["seed"], asked["validation_share"]) == (8, 0.3)
    assert (order.kind, order.queue, order.parts) == ("prepare", "prepare", ())


@pytest.mark.parametrize(
    ("request_", "policy"),
    [
        ({}, "own"),
        ({"system_policy": "own"}, "own"),
        ({"system_prompt": "P"}, "replace"),
        ({"system_prompt": "P", "system_policy": "own"}, "own"),
        ({"system_policy": "none"}, "none"),
    ],
)
def test_the_policy_that_was_meant_comes_back_from_the_record(
    request_: dict[str, Any], policy: str
) -> None:
    # The prompt of the settings stands in each record, as one that was given does.
    order = prepare(settings={"system_prompt": "Of the operator."}, **request_)
    again = request_of(PrepareRequest, {"request": order.request}).from_record()
    assert again.system_policy == policy
    assert again.with_defaults(SETTINGS.model_dump()) == again


def test_a_request_that_says_nothing_new_is_recorded_as_earlier_releases_did() -> None:
    requests: list[dict[str, Any]] = [{}, {"system_policy": "own"}]
    for same in requests:
        assert "system_policy" not in prepare(**same).request
        assert prepare(**same).content_key == prepare().content_key
    keys = {prepare(system_policy=each).content_key for each in ("own", "replace", "none")}
    assert len(keys) == 3


def test_ordering_loads_nothing_heavy() -> None:
    program = (
        "import sys, workers.jobs.job_specs, workers.jobs.submission\n"
        "print([name for name in ('pyarrow', 'pandas', 'datasets')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
