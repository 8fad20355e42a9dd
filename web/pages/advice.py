"""The library's advice for who types commands, in words for who presses buttons."""

from __future__ import annotations

import re
from collections.abc import Callable

_Match = re.Match[str]
_NAME = r"(\S+?)"


def _at_most(found: _Match) -> str:
    return f"Prepare with at most {int(found[2]):,} of {found[1]}, or without {found[3]}."


_REPLACE = "with a new job that may replace it"
#: The first that fits a place decides; what is not here stands as it is.
_WORDS: tuple[tuple[str, str | Callable[[_Match], str]], ...] = (
    (
        rf"merge with --exclude {_NAME} or --commercial-only to avoid it",
        r"to avoid it, merge without \1, or only what products may be built on",
    ),
    (rf"Prepare with --cap {_NAME}=(\d+) or --exclude {_NAME}\.(?=\s|$)", _at_most),
    (rf"Prepare with --exclude {_NAME}\.(?=\s|$)", r"Prepare without \1."),
    (
        r"Or publish without what failed: --allow-missing\.",
        "Or merge again, and choose to go on without a source that cannot be had.",
    ),
    (r"Look at --source, --exclude and --commercial-only\.", "Look at which ones are ticked."),
    (r"Look at sources, exclude and commercial_only\.", "Look at which ones are ticked."),
    (r"--source, --exclude and what failed", "which sources were ticked, and at what failed"),
    (
        r"--exclude, --type and --cap\b",
        "which sources and types are ticked, and how many at most are taken",
    ),
    (
        r"[Rr]eplace it with --force(?: \(force=True in Python\))?",
        "Tick that it may be replaced",
    ),
    (r"Make the artifact again, with `force`\.", f"Make it again {_REPLACE}."),
    (r"with --force\b", _REPLACE),
    (
        rf"[Aa]ccept the catalogue's with --upgrade {_NAME}\.(?=\s|$)",
        "Accept the catalogue's: merge again, and read the newest revisions.",
    ),
    (rf"merge with --upgrade {_NAME}\.(?=\s|$)", "merge again, and read the newest revisions."),
    (
        rf"a lock is moved with --upgrade {_NAME}\.(?=\s|$)",
        "a lock is moved by a merge that reads the newest revisions.",
    ),
    (r"Leave out --revision\.", "Take its line out of the revisions."),
    (r"leave its source out with --exclude", "leave its source out"),
    (
        rf"or use a copy of your own with --path {_NAME}=FOLDER",
        "or have whoever runs the service put a copy of their own in its place",
    ),
    (
        r"try --workers 1, or a larger machine",
        "whoever runs the service can give it fewer workers, or a larger machine",
    ),
    (
        r"[Cc]hoose another folder with --data-dir",
        "have whoever runs the service choose another folder",
    ),
    (r"`mindcorpus stats` lists the tags\.", "The overview has them all."),
    (r"`mindcorpus browse` shows them", "the records' pages show them"),
)
_RULES = tuple((re.compile(pattern), words) for pattern, words in _WORDS)


def for_people(text: str) -> str:
    """Put what names options of commands into words of the dashboard."""
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    return text
