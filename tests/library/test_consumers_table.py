"""Who reads formats in `make test-consumers`: all that are claimed to, as the page tells them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from documents import ROOT, read, table

from mindcorpus.formats.entries import ENTRIES
from mindcorpus.formats.registry import FORMATS

_PAGE = read("docs/formats.md")
_HEADING = "Who reads them, and how that is proved"


def _environments() -> ModuleType:
    path = Path(ROOT / "tests/consumers/environments.py")
    spec = importlib.util.spec_from_file_location("environments", path)
    assert spec is not None
    assert spec.loader is not None
    # Dataclasses look their module up.
    module = sys.modules["environments"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CONSUMERS = _environments().CONSUMERS
_WORDS = {"*": "every format", "corpus": "the corpus"}


def test_the_page_names_every_consumer_with_its_version_and_formats() -> None:
    told = [
        [name, version, reads.replace("`", "")] for name, version, reads in table(_PAGE, _HEADING)
    ]
    assert told == [
        [
            each.name,
            (each.alone or each.packages)[0],
            ", ".join(_WORDS.get(name, name) for name in each.formats),
        ]
        for each in CONSUMERS.values()
    ]


def test_the_page_says_what_each_of_them_does_not_take() -> None:
    assert table(_PAGE, _HEADING, 1) == [
        [each.name, name, ", ".join(words)]
        for each in CONSUMERS.values()
        for name, words in each.refuses.items()
    ]


def test_every_version_is_exact() -> None:
    for each in CONSUMERS.values():
        for package in (*each.packages, *each.alone):
            assert re.fullmatch(r"[a-z][\w.-]*(\[[\w,]+\])?==[\d.]+", package), package


def test_every_reader_is_a_consumer_whose_loader_reads_the_format() -> None:
    for entry in ENTRIES:
        name = entry.name
        run = [each.name for each in CONSUMERS.values() if {name, "*"} & {*each.formats}]
        for reader in entry.readers:
            word = reader.lower().replace(" ", "-")
            assert any(each == word or each.startswith(f"{word}-") for each in run), (name, reader)
        assert (entry.proof == "loader") is bool(entry.readers), name
        assert not {*entry.readers} & {*entry.others}, name


def test_every_format_that_is_read_is_there() -> None:
    named = {name for each in CONSUMERS.values() for name in each.formats}
    assert {name for name in named if name not in _WORDS} <= {*FORMATS}


def test_the_page_says_apart_who_reads_and_who_takes_it_by_what_they_publish() -> None:
    assert table(_PAGE, _HEADING, 2) == [
        [entry.name, ", ".join(entry.readers), ", ".join(entry.others)] for entry in ENTRIES
    ]
