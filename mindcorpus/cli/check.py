"""The check of a chat file: the first of each kind of finding as a table, or every one."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.text import Text

from mindcorpus.cli.tables import findings_table, harmless
from mindcorpus.cli.terminal import Terminal, print_json
from mindcorpus.formats.chat_file import check_chat_file
from mindcorpus.progress import silent

if TYPE_CHECKING:
    from mindcorpus.formats.chat_check import CheckReport, Finding, Unit


def check_file(file: Path, *, every: bool, as_json: bool) -> int:
    """Check a chat file, show what was found, `every` finding or the first of each kind.

    Gives 1 if the file would be refused.
    """
    terminal = Terminal()
    listed = (_JsonFindings() if as_json else _LinesOfFindings()) if every else None
    # What is listed on a terminal is progress enough.
    quiet = listed is not None and sys.stdout.isatty()
    with terminal.watch() as (report, cancel):
        found = check_chat_file(
            file, silent if quiet else report, cancel, listed.tell if listed else None
        )
    if listed is not None:
        listed.finish(found)
    elif as_json:
        print_json(found.as_dict())
    elif found.findings:
        terminal.show(findings_table(found.findings, found.counts, found.unit))
    if not as_json:
        verdict = "no errors" if found.ok else "would be refused"
        terminal.show(
            Text(
                f"{found.examples:,} examples, {decimal(found.bytes)}: {verdict}",
                "bold green" if found.ok else "bold red",
            )
        )
    return 0 if found.ok else 1


class _LinesOfFindings:
    """Writes each finding as a line, as soon as it is found: none is held."""

    def __init__(self) -> None:
        # A display of progress takes the name `sys.stdout` for itself meanwhile.
        self._out = sys.stdout

    def tell(self, finding: Finding, unit: Unit) -> None:
        """Write a finding."""
        place = "file" if finding.line is None else f"{unit} {finding.line}"
        line = f"{place}: {finding.severity}: {finding.code}: {finding.reason}"
        self._out.write(harmless(line) + "\n")

    def finish(self, _report: CheckReport) -> None:
        """Let what was written go."""
        self._out.flush()


class _JsonFindings:
    """Writes the report as JSON whose findings, which come first, are all: none is held."""

    def __init__(self) -> None:
        self._out = sys.stdout
        self._before = '{\n  "findings": [\n    '

    def tell(self, finding: Finding, _unit: Unit) -> None:
        """Write a finding."""
        self._out.write(self._before + json.dumps(asdict(finding)))
        self._before = ",\n    "

    def finish(self, report: CheckReport) -> None:
        """Write the rest of the report."""
        rest = report.as_dict()
        del rest["findings"]
        if not report.counts:
            self._out.write(self._before)
        self._out.write("\n  ]," + json.dumps(rest, indent=2)[1:] + "\n")
