"""Counts and lists as tables for a terminal; what comes from data is made harmless for it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from mindcorpus.storage.row_counts import changes, left_out, rows_dropped, rows_duplicate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from mindcorpus.formats.chat_check import Finding, Unit

_BAR = 20  # columns of a full bar: a table of them fits into 80
_EIGHTHS = " ▏▎▍▌▋▊▉"
_HIDDEN = "\N{REPLACEMENT CHARACTER}"
# What would move the cursor, change colours or turn the reading direction.
_CONTROLS: dict[int, str] = {
    **dict.fromkeys((0x7F, *range(0x80, 0xA0)), _HIDDEN),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), _HIDDEN),
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"},
}


def harmless(text: str) -> str:
    """Give a text whose control characters are shown instead of obeyed."""
    return text.replace("\r\n", "\n").translate(_CONTROLS)


def heading(text: str) -> Text:
    """Make a heading, with a blank line before it."""
    return Text(f"\n{harmless(text)}", "bold")


def bullets(sign: str, lines: Iterable[str], style: str = "") -> Table:
    """Make a list whose lines hang behind a sign."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for line in lines:
        table.add_row(Text(sign, style), Text(harmless(line)))
    return table


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Make a table; columns of integers are set to the right, with separators of thousands."""
    rows = list(rows)
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for at, name in enumerate(head):
        number = bool(rows) and all(isinstance(row[at], int) for row in rows)
        made.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


def _cell(value: Any) -> Text:
    return Text(f"{value:,}" if isinstance(value, int) else harmless(str(value)))


def distribution(
    name: str, counts: Mapping[str, int], total: int, *, full: str, limit: int | None = None
) -> Table:
    """Make a table of counts, most first, with their shares of a total and bars."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]
    top = max((count for _, count in ordered), default=0) or 1
    rows = [
        (label, count, f"{count / (total or 1):.1%}", bar(count / top, full))
        for label, count in ordered
    ]
    made = table((name, "Records", "Share", ""), rows)
    made.columns[2].justify = "right"
    made.columns[3].style = "cyan"
    return made


def bar(share: float, full: str) -> str:
    """Draw a bar of block characters, or of `full` alone if that is none; never quite nothing."""
    eighths = max(round(share * _BAR * 8), 1 if share else 0)
    if full != "█":
        return full * -(-eighths // 8)
    return full * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def accounts(sources: Mapping[str, Mapping[str, Any]]) -> Table:
    """Show for each source that rows read are rows kept, dropped and duplicate."""
    rows: list[tuple[Any, ...]] = [
        (
            name,
            counts["read"],
            counts["kept"],
            rows_duplicate(counts),
            rows_dropped(counts),
            why_left_out(name, counts),
        )
        for name, counts in sources.items()
    ]
    if len(rows) > 1:
        rows.append(("all", *(sum(row[at] for row in rows) for at in range(1, 5)), ""))
    return table(("Source", "Read", "Kept", "Duplicates", "Dropped", "Why"), rows)


def changed_records(sources: Mapping[str, Mapping[str, Any]]) -> list[RenderableType]:
    """Show what was changed of kept records, by kind; nothing where nothing was."""
    rows = changes(sources)
    return [heading("Changed"), table(("Source", "Change", "Records"), rows)] if rows else []


def why_left_out(name: str, counts: Mapping[str, Any]) -> str:
    """Say in words which rows of a source were left out, by reason."""
    return ", ".join(
        f"{each.reason} of {each.twin} {each.rows:,}"
        if each.twin
        else f"{each.reason} {each.rows:,}"
        for each in left_out(counts)
        if each.twin != name
    )


def findings_table(
    findings: Iterable[Finding], counts: Mapping[str, int], unit: Unit = "line"
) -> Table:
    """Show the findings of a check, one row a code: how many there are, and the first of them."""
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(finding.code, finding)
    rows = [
        (finding.severity, code, counts[code], _place(finding, unit), finding.reason)
        for code, finding in first.items()
    ]
    return table(("Severity", "Code", "Times", "First", "What"), sorted(rows))


def warnings_and_notes(warnings: Sequence[str], notes: Sequence[str] = ()) -> list[RenderableType]:
    """List warnings and notes, each under its heading, if there are any."""
    parts: list[RenderableType] = []
    if warnings:
        parts += [heading("Warnings"), bullets("!", warnings, "yellow")]
    if notes:
        parts += [heading("Notes"), bullets("-", notes)]
    return parts


def missing_sources(missing: Sequence[Mapping[str, Any]]) -> list[RenderableType]:
    """List the sources that failed and were left out as asked, and why."""
    if not missing:
        return []
    lines = [
        f"{entry['source']}: {entry['reason']}. {entry.get('hint', '')}".rstrip()
        for entry in missing
    ]
    return [heading("Missing"), bullets("!", lines, "red")]


def absent_sources(absent: Sequence[str]) -> list[RenderableType]:
    """List the sources without a public home whose files nobody gave."""
    if not absent:
        return []
    lines = [f"{name}: its files were not there; see mindcorpus sources" for name in absent]
    return [heading("Absent"), bullets("-", lines)]


def _place(finding: Finding, unit: Unit) -> str:
    return "file" if finding.line is None else f"{unit} {finding.line:,}"


def moment(built: str) -> str:
    """Give an ISO time as local date and time."""
    return f"{datetime.fromisoformat(built).astimezone():%Y-%m-%d %H:%M}"
