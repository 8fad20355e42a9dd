"""browse: pages of records on a terminal, one page elsewhere; a single record with its lineage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from mindcorpus.cli.tables import harmless, heading, table
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.corpus.reader import Page, browse
from mindcorpus.corpus.reader import record as one_record
from mindcorpus.corpus.transcript import Said, transcript_of
from mindcorpus.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_PAGE = 20  # records where there is no terminal whose height says how many
_LINES = 4  # of a record on a page: where it is from, input, response, blank
_NEXT = ("n", " ")
_QUIT = ("q", "\x1b", "\x04")  # also Escape, and Ctrl-D
_INDENT = "    "  # of a text; what is known of it stands half as deep


def browse_records(
    *,
    source: str | None,
    type: str | None,  # noqa: A002 - the record's own word
    tag: str | None,
    search: str | None,
    row: int | None,
    offset: int,
    limit: int | None,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Show a page of the records that are asked for, or page through them; or one record."""
    settings = Settings.load(data_dir=data_dir)
    terminal = Terminal()
    if row is not None:
        _show_record(terminal, settings.data_dir, row, as_json=as_json)
        return
    pages = terminal.pages and not as_json
    size = limit or (max(1, (terminal.size[1] - 2) // _LINES) if pages else _PAGE)

    def page_at(start: int) -> Page:
        return browse(
            settings.data_dir,
            offset=start,
            limit=size,
            source=source,
            type=type,
            tag=tag,
            search=search,
        )

    page = page_at(offset)
    if as_json:
        print_json(
            {"records": page.records, "matched": page.matched, "next_offset": page.next_offset}
        )
        return
    if not pages:
        terminal.show(*_page_parts(page, None))
        if page.next_offset is not None:
            terminal.say(f"More: --offset {page.next_offset}")
        return
    before: list[int] = []
    with terminal.keys() as keys:
        _show_page(terminal, page, back=False)
        for key in keys:
            if key in _QUIT:
                return
            if key in _NEXT and page.next_offset is not None:
                before.append(offset)
                offset = page.next_offset
            elif key == "p" and before:
                offset = before.pop()
            else:
                continue
            page = page_at(offset)
            _show_page(terminal, page, back=bool(before))


def _show_page(terminal: Terminal, page: Page, *, back: bool) -> None:
    offered = ["n next"] * (page.next_offset is not None) + ["p previous"] * back + ["q quit"]
    terminal.clear()
    terminal.show(*_page_parts(page, terminal.size[0]), Text("  ".join(offered), "dim"))


def _page_parts(page: Page, columns: int | None) -> list[RenderableType]:
    if not page.records:
        if page.matched:
            return [Text(f"Only {page.matched:,} match; --offset begins after them.")]
        return [Text("No record is as asked for.")]
    parts: list[RenderableType] = []
    for record in page.records:
        turns = f"{len(record['messages']):,} turns  " if record["messages"] else ""
        parts.append(
            Text(
                f"{record['row']:,}  {record['source']}  {record['type']}  {turns}", "cyan"
            ).append(harmless(", ".join(record["tags"])), "dim")
        )
        for name in ("input", "response"):
            line = Text(f"  {name:<9} ", "dim").append(
                " ".join(harmless(record[name]).split()), "not dim"
            )
            if columns is not None:
                line.truncate(columns - 1, overflow="ellipsis")
            parts.append(line)
        parts.append(Text())
    if page.matched is not None:
        parts.append(Text(f"{page.matched:,} records"))
    return parts


def _show_record(terminal: Terminal, data_dir: Path, row: int, *, as_json: bool) -> None:
    found, origin, _ = one_record(data_dir, row)
    if as_json:
        print_json({"record": found, "lineage": origin})
        return
    facts: Mapping[str, Any] = {
        "row": row,
        "source": found["source"],
        "type": found["type"],
        "tags": ", ".join(found["tags"]),
    }
    terminal.show(table(("Record", ""), [(name, str(value)) for name, value in facts.items()]))
    terminal.show(*_said(found))
    for name in ("tools", "metadata"):
        if found[name] is not None:
            text = json.dumps(found[name], ensure_ascii=False, indent=2)
            terminal.show(heading(name), _Indented(text))
    rows = [(name, _fact(value)) for name, value in origin.items() if value not in (None, [])]
    terminal.show(Text(), table(("Lineage", ""), rows))


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _said(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Show who said what; only who speaks stands at the left edge, whatever a text looks like."""
    transcript = transcript_of(record)
    turns = list(transcript.turns)
    for side in transcript.sides:
        turns += side
    for turn in turns:
        yield _speaker(turn)
        facts = [("named", turn.name), ("answers call", turn.answers), ("thought", turn.reasoning)]
        for what, text in facts:
            if text:
                yield _Indented(text, what)
        if turn.text:
            yield _Indented(turn.text)
        for call in turn.calls:
            yield _Indented(f"{call.name}({call.arguments})", "calls")


def _speaker(turn: Said) -> Text:
    return heading(turn.label).append(
        "".join(f"  [{remark}]" for remark in turn.remarks), "not bold dim"
    )


@dataclass(frozen=True)
class _Indented:
    """A text whose every line, also where a terminal breaks one, stands away from the edge."""

    text: str
    what: str = ""
    """What the text is, where it is not what is said: it alone stands half as deep."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = Text(self.what and f"{self.what} ", "dim").append(harmless(self.text), "not dim")
        half = len(_INDENT) // 2
        for at, line in enumerate(text.wrap(console, max(1, options.max_width - len(_INDENT)))):
            yield Text(_INDENT[half:] if self.what and at == 0 else _INDENT).append_text(line)
