"""What stands where data should: a web page, or a pointer to a file; told by the first bytes.

Both are what a download that went wrong leaves, whoever reads it then.
"""

from __future__ import annotations

import re

#: A mark of UTF-8, which may stand before all else.
MARK = b"\xef\xbb\xbf"
# Of error pages, some are XML: those of object stores, and older pages.
_WEB_PAGE = re.compile(rb"\s*<(?:!doctype|html|head|\?xml)\b", re.IGNORECASE)
# Its version's address, without the end: that may change.
_LFS_POINTER = b"version https://git-lfs"


def is_web_page(head: bytes) -> bool:
    """Tell whether a file that begins so is a web page, or an error as XML."""
    return _WEB_PAGE.match(head.removeprefix(MARK)) is not None


def is_lfs_pointer(head: bytes) -> bool:
    """Tell whether a file that begins so is a Git LFS pointer, not the file it points to."""
    return head.removeprefix(MARK).startswith(_LFS_POINTER)
