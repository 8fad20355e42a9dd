"""Who reads formats in `make test-consumers`: all that are claimed to, as the page tells them."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from documents import ROOT, read, table

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


def test_every_format_that_a_loader_is_said_to_prove_is_read_by_one() -> None:
    named = {name for each in CONSUMERS.values() for name in each.formats}
    # A saved dataset is read by the library that it is named after.
    named.add("huggingface")
    proved = {name for name, entry in FORMATS.items() if entry.proof == "loader"}
    assert proved <= named
    assert {name for name in named if name not in _WORDS} <= {*FORMATS}
