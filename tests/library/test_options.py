"""The options of the command line are the fields of the requests: none is missing, none is more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from mindcorpus.cli import requests
from mindcorpus.cli.main import build, merge, prepare
from mindcorpus.cli.options import data_dir_option, workers_option
from mindcorpus.cli.remote_options import detach_option, label_option
from mindcorpus.job_requests import Flag, MergeRequest, PrepareRequest

if TYPE_CHECKING:
    from pydantic import BaseModel


def flags(model: type[BaseModel]) -> dict[str, str]:
    """Give the option of each field that has one."""
    return {
        name: str(flag)
        for name, field in model.model_fields.items()
        for flag in field.metadata
        if isinstance(flag, Flag)
    }


def others() -> set[str]:
    """Give the options that are about the run, not about what is asked for."""

    @data_dir_option
    @workers_option
    @label_option
    @detach_option
    @click.command()
    def nothing() -> None: ...

    return {str(param.name) for param in nothing.params}


@pytest.mark.parametrize(("command", "model"), [(merge, MergeRequest), (prepare, PrepareRequest)])
def test_every_option_is_a_field_and_every_flag_an_option(
    command: click.Command, model: type[BaseModel]
) -> None:
    options = {
        str(param.name): "NAME" if isinstance(param, click.Argument) else param.opts[0]
        for param in command.params
        if param.name not in others()
    }
    assert options == flags(model)


@pytest.mark.parametrize(("command", "model"), [(merge, MergeRequest), (prepare, PrepareRequest)])
def test_an_option_that_is_not_given_is_the_field_s_default(
    command: click.Command, model: type[MergeRequest | PrepareRequest]
) -> None:
    with command.make_context(command.name, []) as context:
        given = {name: value for name, value in context.params.items() if name not in others()}
    make = requests.merge_request if model is MergeRequest else requests.prepare_request
    request, rest = make(given)
    assert (request, rest) == (model(), {})


def test_build_has_the_options_of_both_and_of_those_with_one_name_the_merge_s() -> None:
    options = {str(param.name): param for param in build.params}
    of_merge = {str(param.name): param for param in merge.params}
    of_prepare = {str(param.name): param for param in prepare.params}
    far = {"label", "detach"}
    assert set(options) == {*of_merge, *of_prepare} - far
    for name, param in options.items():
        mine = of_merge.get(name, of_prepare.get(name))
        assert mine is not None
        assert (param.opts, getattr(param, "help", None)) == (
            mine.opts,
            getattr(mine, "help", None),
        )
    with build.make_context("build", ["openai", "--source", "TRACE", "--seed", "3"]) as context:
        merging, preparing, data_dir, workers = requests.build_requests(context.params)
    assert merging == MergeRequest(sources=("TRACE",))
    assert preparing == PrepareRequest(format="openai", seed=3)
    assert (data_dir, workers) == (None, None)


def test_what_only_python_and_the_api_have_is_told() -> None:
    # One format and several are the same argument.
    assert set(PrepareRequest.model_fields) - set(flags(PrepareRequest)) == {"format"}
    # The names of entries that were added are noted where a merge begins; nobody types them.
    assert set(MergeRequest.model_fields) - set(flags(MergeRequest)) == {"added"}
