"""A line of the table that holds targets against what was measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the first table; `met` is None where no target was set."""

    what: str
    target: str
    measured: str
    met: bool | None
    limit: str

    def __str__(self) -> str:
        met = {True: "met", False: "**not met**", None: "–"}[self.met]
        return f"| {self.what} | {self.target} | {self.measured} | {met} | {self.limit} |"
