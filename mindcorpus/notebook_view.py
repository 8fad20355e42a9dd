"""What notebooks show of a result: a small table of HTML, every text in it escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

# As many are shown; the manifest has all.
_MOST = 10


def table_html(title: str, rows: Mapping[str, Any]) -> str:
    """Give a table with a title and a row for each thing that there is something to say of.

    Values are texts and numbers, mappings of names to numbers, or several texts.
    """
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{_cell(value)}</td></tr>'
        for name, value in rows.items()
        if value not in (None, "", (), {}, [])
    )
    return f"<table><caption>{escape(title)}</caption><tbody>{cells}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return _lines(f"{name}: {_text(each)}" for name, each in value.items())
    if isinstance(value, (tuple, list)):
        return _lines(map(_text, value))
    return escape(_text(value))


def _lines(texts: Iterable[str]) -> str:
    found = list(texts)
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return "<br>".join(escape(text) for text in (*found[:_MOST], *more))


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
