"""What a whole file is that is no data, told by its head before a row of it is read."""

from __future__ import annotations

from mindcorpus.errors import DataError
from mindcorpus.not_data import is_lfs_pointer, is_web_page
from mindcorpus.remedies import LeaveOut

#: Of a file so much is looked at.
HEAD = 4096
_EXCEL = b"\xd0\xcf\x11\xe0"
_BINARY = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"%PDF-": "PDF", _EXCEL: "an old Excel workbook"}
#: Where a tar has its mark, and the mark.
_TAR = (257, b"ustar")
_AGAIN = "Fetch the file again, mend it, or"


def refuse_no_data(head: bytes, file: str, format_: str | None) -> None:
    """Raise `DataError` if a file's first bytes say that it is something else than data."""
    if not head:
        raise DataError(
            "the file is empty", file=file, hint="Fetch it again, or exclude its source."
        )
    if head[_TAR[0] :].startswith(_TAR[1]):
        raise _no_data("a tar archive, not data", file, "Unpack it into a folder and name that, or")
    if is_lfs_pointer(head):
        raise _no_data(
            "a Git LFS pointer, not the data it stands for", file, "Run «git lfs pull» there, or"
        )
    if is_web_page(head):
        raise _no_data("a web page (HTML or XML), not data: an error page, perhaps", file, _AGAIN)
    for magic, name in _BINARY.items():
        if head.startswith(magic) and format_ not in (name.lower(), None):
            hint = f'Say format = "{name.lower()}" in the entry, or'
            raise _no_data(f"the file is {name}, not {format_}", file, hint if format_ else _AGAIN)


def _no_data(title: str, file: str, hint: str) -> DataError:
    return DataError(title, file=file, hint=hint, remedy=LeaveOut())
