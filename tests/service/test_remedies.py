"""What mends an error is a value: each face has words for every kind, and all of it comes back."""

from __future__ import annotations

import ast
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mindcorpus import remedies
from mindcorpus.cli.render import advice_of as advice_of_commands
from mindcorpus.client.problems import error_from
from mindcorpus.command_words import COMMANDS, in_commands
from mindcorpus.errors import DataError, ExistsError, HubUnavailableError, MindcorpusError
from mindcorpus.job_requests import SELECTING, Flag, PrepareRequest
from mindcorpus.remedies import Cap, Either, OwnCopy, Remedy, Replace, apart, from_dict, kinds
from mindcorpus.sources.catalog import load_catalog
from mindcorpus.sources.files import fetch_local
from web.pages.remedies import BUTTONS, advice_told, as_stored
from web.remedies import REQUESTS, as_answered
from workers.errors import describe
from workers.execution.failures import revived

if TYPE_CHECKING:
    from apiflask import APIFlask
    from flask import Response

ROOT = Path(__file__).parents[2]
_OPTION = re.compile(r"(?<![\w-])--[a-z]")
#: These are about running processes, or are for who types commands: nothing is pushed over HTTP.
_OF_COMMANDS = (
    "mindcorpus/cli/",
    "mindcorpus/command_words.py",
    "mindcorpus/formats/axolotl.py",  # what is typed to trainers
    "mindcorpus/formats/entries.py",
    "mindcorpus/formats/snippets.py",
    "mindcorpus/pushing/",
    "mindcorpus/client/problems.py",  # how whoever runs a service makes a token
    "web/__main__.py",
    "web/local/",
)
_VALUES: Mapping[str, Any] = {"str": "TRACE", "int": 30_873}


def each() -> Iterator[Remedy]:
    """Give a remedy of every kind."""
    for kind in kinds():
        if kind is not Either:
            yield kind(*(_VALUES[str(field.type)] for field in fields(kind)))
    yield Either((OwnCopy("TRACE"), remedies.AllowMissing()))


EACH = [pytest.param(remedy, id=remedy.kind) for remedy in each()]


def error_of(remedy: Remedy | None) -> MindcorpusError:
    """Give an error whose hint leads on to its remedy."""
    return HubUnavailableError("gone", hint="Try again later,", remedy=remedy, source="TRACE")


# The words of each face


@pytest.mark.parametrize("words", [COMMANDS, REQUESTS, BUTTONS], ids=["cli", "api", "pages"])
def test_every_kind_is_worded(words: Mapping[type[Remedy], str]) -> None:
    assert set(words) == set(kinds()) - {Either}
    for remedy in each():
        said = remedies.worded(remedy, words)
        assert said.endswith(".")
        assert said[0] == said[0].upper()
        assert "{source}" not in said
        assert words is COMMANDS or not _OPTION.search(said)


def test_each_kind_has_a_name_of_its_own() -> None:
    names = [kind.kind for kind in kinds()]
    assert all(names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("remedy", "typed", "sent", "pressed"),
    [
        (
            Replace(),
            "Replace it with --force.",
            'Send it with "force": true.',
            "Tick that it may be replaced.",
        ),
        (
            Cap("Psych-101", 30_873),
            "Prepare with --cap Psych-101=30873 or --exclude Psych-101.",
            'Prepare with "caps": {"Psych-101": 30873} or "exclude": ["Psych-101"].',
            "Prepare with at most 30,873 of Psych-101, or without Psych-101.",
        ),
    ],
)
def test_it_says_the_same_to_each(remedy: Remedy, typed: str, sent: str, pressed: str) -> None:
    error = describe(ExistsError("it is there", remedy=remedy))
    assert in_commands(remedy) == typed
    assert as_answered({"error": error})["error"]["hint"] == sent
    assert advice_told(error) == pressed


def test_a_hint_is_a_sentence_before_it_or_its_beginning() -> None:
    remedy = OwnCopy("TRACE")
    ahead = HubUnavailableError("gone", hint="Try again later.", remedy=remedy)
    assert ahead.advice.endswith("later. Or use a copy of your own with --path TRACE=FOLDER.")
    led = error_of(remedy)
    assert led.advice.endswith("later, or use a copy of your own with --path TRACE=FOLDER.")
    assert error_of(None).advice == "Try again later,"
    assert MindcorpusError("gone").advice == ""


def test_who_calls_functions_is_told_of_the_argument() -> None:
    error = ExistsError("it is there", remedy=Replace())
    assert error.advice == "Replace it with --force (force=True in Python)."
    assert advice_of_commands(error) == "Replace it with --force."


# The way of a remedy


@pytest.mark.parametrize("remedy", EACH)
def test_it_comes_back_from_wherever_it_was_sent(remedy: Remedy) -> None:
    error = error_of(remedy)
    assert from_dict(json.loads(json.dumps(remedy.as_dict()))) == remedy
    job = {"error": json.loads(json.dumps(describe(error)))}  # as Redis has it
    for copy in (
        pickle.loads(pickle.dumps(error)),
        revived(job["error"]),
        error_from(json.loads(json.dumps(as_answered(job)["error"]))),
    ):
        assert (copy.hint, copy.remedy, copy.advice) == (error.hint, remedy, error.advice)
    assert type(copy) is HubUnavailableError


@pytest.mark.parametrize("remedy", EACH)
def test_a_problem_tells_it_in_words_and_as_values(app: APIFlask, remedy: Remedy) -> None:
    @app.get("/fails")
    def fails() -> Response:
        raise error_of(remedy)

    problem = app.test_client().get("/fails").get_json()
    assert problem["remedy"]["kind"] == remedy.kind
    assert problem["hint"].startswith("Try again later, ")
    assert problem["hint"].endswith(problem["remedy"]["words"])
    assert not _OPTION.search(json.dumps(problem))
    assert apart(problem) == ("Try again later,", remedy)


def test_without_a_remedy_it_is_null(app: APIFlask) -> None:
    @app.get("/fails")
    def fails() -> Response:
        raise DataError("cannot be read", hint="Mend it.")

    problem = app.test_client().get("/fails").get_json()
    assert (problem["hint"], problem["remedy"]) == ("Mend it.", None)
    assert app.test_client().get("/nowhere").get_json()["remedy"] is None


@pytest.mark.parametrize(
    "values",
    [
        None,
        "replace",
        {},
        {"kind": "of-tomorrow"},
        {"kind": ["replace"]},
        {"kind": "cap", "source": "TRACE"},
        {"kind": "cap", "source": "TRACE", "rows": "7"},
        {"kind": "cap", "source": "TRACE", "rows": True},
        {"kind": "either", "remedies": []},
        {"kind": "either", "remedies": [{"kind": "replace"}, {"kind": "of-tomorrow"}]},
        {"kind": "either", "remedies": [{"kind": "either", "remedies": [{"kind": "replace"}]}]},
    ],
)
def test_what_is_not_understood_leaves_the_hint_as_it_was_told(values: object) -> None:
    assert from_dict(values) is None
    error = error_from({"code": "bad-data", "title": "gone", "hint": "Do this.", "remedy": values})
    assert (error.hint, error.remedy) == ("Do this.", None)


def test_a_job_of_an_earlier_version_is_told_as_it_stands() -> None:
    error = {"code": "bad-data", "title": "gone", "hint": "Do this.", "source": None}
    assert as_answered({"error": error})["error"] == {**error, "remedy": None}
    assert as_answered({"state": "queued"}) == {"state": "queued"}
    assert advice_told(error) == "Do this."


def test_two_remedies_are_told_one_after_the_other() -> None:
    both = remedies.with_more(OwnCopy("TRACE"), remedies.AllowMissing())
    assert advice_told(describe(error_of(both))) == (
        "Try again later, or have whoever runs the service put a copy of their own in its place. "
        "Or merge again, and choose to go on without a source that cannot be had."
    )
    assert remedies.with_more(both, Replace()) == Either(
        (OwnCopy("TRACE"), remedies.AllowMissing(), Replace())
    )
    assert remedies.with_more(None, Replace()) == Replace()


# What manifests keep in the words of commands


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (
            "P-1 is 90% of the rows. Prepare with --cap P-1=30873 or --exclude P-1.",
            "P-1 is 90% of the rows. Prepare with at most 30,873 of P-1, or without P-1.",
        ),
        (
            "80% are one word, most of them from a_b; so it learns. Prepare with --exclude a_b.",
            "80% are one word, most of them from a_b; so it learns. Prepare without a_b.",
        ),
        (
            "See there; a lock is moved with --upgrade TRACE.",
            "See there; a lock is moved by a merge that reads the newest revisions.",
        ),
        ("Merge sources with longer answers as well.",) * 2,
        ("Merge with --some-other-option -- TRACE.",) * 2,
    ],
)
def test_a_stored_sentence_is_shown_in_our_words(stored: str, shown: str) -> None:
    assert as_stored(stored) == shown


def test_what_the_catalogue_says_is_known_again() -> None:
    catalog = load_catalog()
    assert as_stored(catalog["TRACE"].licence.warning).endswith(
        "; to avoid it, merge without TRACE, or only what products may be built on."
    )
    for source in catalog:
        for text in (source.licence.warning, source.note, source.absent):
            assert not _OPTION.search(as_stored(text))


def test_a_source_without_a_home_is_told_to_each_in_its_words(tmp_path: Path) -> None:
    source = load_catalog()["RedditESS"]
    with pytest.raises(MindcorpusError) as caught:
        fetch_local(source, tmp_path / "nowhere")
    assert caught.value.advice == source.absent
    assert not _OPTION.search(as_answered({"error": describe(caught.value)})["error"]["hint"])


# Nobody else speaks of options


def texts_of(path: Path) -> list[str]:
    """Give the texts of a module, without docstrings, what fields explain, and their options."""
    tree = ast.parse(path.read_text("utf-8"))
    passed = {
        id(text)
        for node in ast.walk(tree)
        for text in (
            [node.value]
            if isinstance(node, ast.Expr)
            or (isinstance(node, ast.keyword) and node.arg == "description")
            else node.args
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Flag"
            else []
        )
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed
    ]


def test_no_error_names_an_option() -> None:
    found = {
        name: named
        for package in ("mindcorpus", "workers", "web")
        for path in sorted((ROOT / package).rglob("*.py"))
        if not (name := path.relative_to(ROOT).as_posix()).startswith(_OF_COMMANDS)
        if (named := [text for text in texts_of(path) if _OPTION.search(text)])
    }
    assert found == {}


def test_where_no_record_is_left_each_way_to_choose_records_is_named() -> None:
    #: These say what is done about a length, and who counts it: `max_tokens` stands for both.
    chosen = [each for each in SELECTING if each not in ("over_length", "tokenizer")]
    flags = [
        next(each for each in PrepareRequest.model_fields[name].metadata if isinstance(each, Flag))
        for name in chosen
    ]
    told = COMMANDS[remedies.ChooseRecords]
    assert set(re.findall(r"--[a-z-]+", told)) == {*flags}
    assert set(re.findall(r'"(\w+)"', REQUESTS[remedies.ChooseRecords])) == {*chosen}
    shown = BUTTONS[remedies.ChooseRecords]
    for word in ("sources", "types", "at most", "how many times", "tags", "words", "tokens"):
        assert word in shown
