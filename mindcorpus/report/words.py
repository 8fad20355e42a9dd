"""Words of the data as a page shows them: tags and names, which anybody may have written."""

from __future__ import annotations

import html

# What is obeyed instead of shown: controls, and what turns or holds the reading direction. In a
# text that may be meant so; a tag or a name could pass for another one.
_OBEYED = {
    code: f"\\u{code:04x}"
    for code in (
        *(code for code in range(0x20) if chr(code) not in "\t\n"),
        *range(0x7F, 0xA0),
        0x061C,
        *(0x200E, 0x200F),
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
        0xFEFF,
    )
}


def visible(text: str) -> str:
    """Give a name with what would be obeyed written out, as its code."""
    return text.translate(_OBEYED)


def escape(text: str) -> str:
    """Give a name as HTML."""
    return html.escape(visible(text))
