"""Catalogues of tests' own: sources that are slow, gone, or mean harm."""

from __future__ import annotations

import json
from pathlib import Path

from own_sources import own_source

_AT_URL = """
[[source]]
name = "{name}"
url = "{url}"
type = "nights"
tags = ["sleep"]
[source.options]
input = "q"
response = "a"
[source.licence]
id = "CC0-1.0"
terms = "None."
commercial = "yes"
"""

#: What a stranger may have written; if any of it runs, `window.harmed` is set or a dialog opens.
HARM = "<script>window.harmed=1;alert(1)</script>"
IMAGE = "<img src=x onerror=\"window.harmed=2;alert('2')\">"
BREAKS_OUT = "\"'></textarea></title></summary></details></p><svg/onload=alert(3)>{{7*7}}"
ENTITIES = "&lt;b&gt; &amp;amp; &#60;script&#62; %3Cscript%3E"
ENDLESS_WORD = "Donaudampfschifffahrt" * 120
RIGHT_TO_LEFT = "مرحبا، أشعر بالقلق \u202eabc\u202c ולפעמים לא ישן."
EMOJI = "👩‍👩‍👧‍👦 🏳️‍🌈 🥹 e\u0301 \U0001f1ee\U0001f1f3"
HOSTILE = (HARM, IMAGE, BREAKS_OUT, ENTITIES, ENDLESS_WORD, RIGHT_TO_LEFT, EMOJI)
LONG_NAME = "N" * 150

_HOSTILE = """
[[source]]
name = {name}
title = {harm}
path = {folder}
type = {image}
tags = {tags}
note = {harm}
[[source.files]]
path = "rows.jsonl"
[source.options]
input = "q"
response = "a"
rejected_response = "r"
[source.licence]
id = {image}
url = "javascript:window.harmed=4"
terms = {terms}
commercial = "no"
warning = {harm}
"""


def at_url(folder: Path, name: str, url: str) -> Path:
    """Write the catalogue of a source that is one file at a web address."""
    folder.mkdir(parents=True, exist_ok=True)
    catalog = folder / f"{name}.toml"
    catalog.write_text(_AT_URL.format(name=name, url=url))
    return catalog


def small(folder: Path, name: str = "Small", rows: int = 30) -> Path:
    """Write a small source and its catalogue."""
    return own_source(folder, name, rows)


def hostile(folder: Path) -> Path:
    """Write a source whose every text is meant to do harm, and its catalogue."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number, text in enumerate(HOSTILE):
            talk = f"User: {text}\n\nAssistant: {text}\n\nUser: {text} {number}"
            row = {"q": talk if number % 2 else f"{text} {number}", "a": text, "r": f"{text} no"}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        everything = " ".join(HOSTILE) * 20
        file.write(json.dumps({"q": everything, "a": everything, "r": ""}) + "\n")
    catalog = folder / "hostile.toml"
    texts = {
        "name": LONG_NAME,
        "harm": HARM + ENDLESS_WORD,
        "folder": str(folder),
        "image": IMAGE,
        "terms": " ".join(HOSTILE),
    }
    values = {name: json.dumps(text, ensure_ascii=False) for name, text in texts.items()}
    tags = json.dumps([*HOSTILE], ensure_ascii=False)
    catalog.write_text(_HOSTILE.format(tags=tags, **values), encoding="utf-8")
    return catalog
