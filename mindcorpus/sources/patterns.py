"""Regular expressions that come from outside: of RE2, whose work grows with the text alone.

Python's own may take longer than anybody waits, for a pattern of ten characters and a text of
forty.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import re2
from pydantic import AfterValidator

#: The longest pattern, in characters, and the most instructions of what it is compiled to: by them
#: each character of a text is multiplied at worst.
MAX_PATTERN = 1000
MAX_PROGRAM = 500


@cache
def compiled(pattern: str) -> Any:
    """Compile a pattern; raises `ValueError` for one that RE2 does not take, or too large a one."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern has at most {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        found = re2.compile(pattern.encode(), options)
    except (re2.error, UnicodeEncodeError):
        raise ValueError(
            "not a regular expression of RE2, which has no look-around and no back-references"
        ) from None
    if found.programsize > MAX_PROGRAM:
        raise ValueError("the pattern is too large: its repetitions are too many")
    return found


def _checked(pattern: str) -> str:
    compiled(pattern)
    return pattern


#: A pattern as an option: text that is checked where options are.
Pattern = Annotated[str, AfterValidator(_checked)]


def cut_at(pattern: str, text: str) -> int | None:
    """Give where in a text a pattern matches first; None if nowhere."""
    # A lone surrogate, which is no UTF-8, stands for itself: no pattern can name it.
    raw = text.encode("utf-8", "surrogatepass")
    found = compiled(pattern).search(raw)
    if found is None:
        return None
    return len(raw[: found.start()].decode("utf-8", "surrogatepass"))
