"""Advice for who types commands is put into words of the dashboard, all of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from web.pages.advice import for_people

LIBRARY = Path(__file__).parents[2] / "mindcorpus"
#: These talk to who types commands alone.
_OF_COMMANDS = (
    "commands/",
    "cli.py",
    "console.py",
    "client.py",
    "downloads.py",
    "connection.py",
    "problems.py",
)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def hints() -> list[str]:
    """Give the texts of the library that name an option; what is filled in is 7."""
    found: list[str] = []
    for path in sorted(LIBRARY.rglob("*.py")):
        if not path.relative_to(LIBRARY).as_posix().startswith(_OF_COMMANDS):
            texts = _Texts()
            texts.visit(ast.parse(path.read_text("utf-8")))
            found += [text for text in texts.found if _OPTION.search(text)]
    return found


class _Texts(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and "\n" not in node.value:  # no docstring of many lines
            self.found.append(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = [part.value if isinstance(part, ast.Constant) else 7 for part in node.values]
        self.found.append("".join(map(str, parts)))

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg != "description":  # of a field of the catalogue: for who writes one
            self.generic_visit(node)


def test_no_advice_names_an_option() -> None:
    texts = hints()
    assert len(texts) > 10
    left = {text: for_people(text) for text in texts if _OPTION.search(for_people(text))}
    assert left == {}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            "Holds it; merge with --exclude TRACE or --commercial-only to avoid it.",
            "Holds it; to avoid it, merge without TRACE, or only what products may be built on.",
        ),
        (
            "Prepare with --cap Psych-101=30873 or --exclude Psych-101.",
            "Prepare with at most 30,873 of Psych-101, or without Psych-101.",
        ),
        ("Fetch it again.", "Fetch it again."),
    ],
)
def test_it_still_says_the_same(given: str, shown: str) -> None:
    assert for_people(given) == shown
