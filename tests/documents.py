"""Read the project's Markdown: its sections, tables, code blocks and links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "bench/README.md"])

_HEADING = re.compile(r"^(#+) (.+)$")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def read(name: str) -> str:
    """Give the text of a page."""
    return (ROOT / name).read_text("utf-8")


def section(text: str, heading: str) -> str:
    """Give what stands under a heading, without code and the sections below it."""
    found: list[str] | None = None
    for line in _FENCE.sub("", text).splitlines():
        match = _HEADING.match(line)
        if match and found is not None:
            break
        if match and match[2] == heading:
            found = []
        elif found is not None:
            found.append(line)
    assert found is not None, f"there is no heading {heading!r}"
    return "\n".join(found)


def tables(text: str) -> list[list[list[str]]]:
    """Give the tables of a text as rows of cells, without their heads; code marks are removed."""
    found: list[list[list[str]]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            cells = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            found[-1].append([_plain(cell) for cell in cells])
        before = line
    return [rows[2:] for rows in found]


def table(text: str, heading: str, number: int = 0) -> list[list[str]]:
    """Give a table of a section."""
    return tables(section(text, heading))[number]


def _plain(cell: str) -> str:
    cell = cell.strip().replace("\\|", "|")
    whole = re.fullmatch(r"`([^`]*)`", cell)
    return whole[1] if whole else cell


def blocks(text: str, language: str) -> list[str]:
    """Give the code blocks of a language."""
    return [code for name, code in _FENCE.findall(text) if name == language]


def links(text: str) -> list[str]:
    """Give what the links of a text point to."""
    return _LINK.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Give the anchors of a text's headings, as Markdown renderers make them."""
    lines = _FENCE.sub("", text).splitlines()
    headings = [match[2] for line in lines if (match := _HEADING.match(line))]
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }
