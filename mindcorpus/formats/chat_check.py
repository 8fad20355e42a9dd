"""Check chat lines one after another, each read or in memory, and sum up what was found.

Writers check each line as they make it; `chat_file` reads one that is there.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson
import xxhash

from mindcorpus.formats import chat_rules
from mindcorpus.formats.chat_examples import Examples, kind_of
from mindcorpus.formats.chat_layouts import layout_of
from mindcorpus.formats.chat_rules import MIN_EXAMPLES, RULES, Severity
from mindcorpus.formats.chat_turns import Departure
from mindcorpus.not_data import MARK

if TYPE_CHECKING:
    from mindcorpus.formats.seen_keys import SeenKeys

#: What a place counts: a file that is no JSON lines has examples, but no line for each.
Unit = Literal["line", "example"]

#: How many findings of one code a report holds; all are counted.
FINDINGS_KEPT = 20
#: How many different lines are remembered to find duplicates: about 90 MB at the most, and a
#: quarter of that where a format's writer checks them.
LINES_REMEMBERED = 1_000_000


@dataclass(frozen=True)
class Finding:
    """One departure from a rule; `line` counts from 1 and is None for the whole file.

    Of a file that is not lines it is the number of the example.
    """

    code: str
    severity: Severity
    line: int | None
    reason: str


@dataclass(frozen=True)
class CheckReport:
    """What a check found: the first findings of each code in order of lines, and all counts."""

    file: str
    examples: int
    """Lines that hold a JSON object."""
    bytes: int
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    roles: dict[str, int]
    characters: int
    """Of all contents."""
    unit: Unit = "line"
    """What the findings' places count."""

    @property
    def ok(self) -> bool:
        """Whether nothing was found but warnings."""
        return all(RULES[code].severity != "error" for code in self.counts)

    def as_dict(self) -> dict[str, Any]:
        """Give the report as JSON values, `ok` included."""
        return {"ok": self.ok, **asdict(self), "findings": [asdict(each) for each in self.findings]}


@dataclass(frozen=True)
class Checked:
    """What was found in some lines of a file; what follows from the whole file is not in it."""

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    examples: int
    roles: Mapping[str, int]
    characters: int


#: Hears of a finding, and what its place counts.
Tell = Callable[[Finding, Unit], object]


def combine(
    parts: Sequence[Checked],
    file: str,
    size: int,
    whole: Sequence[Finding] | None = None,
    unit: Unit = "line",
) -> CheckReport:
    """Join what was found in the parts of a file, in order, and what is found of the whole.

    `whole` is the latter where it is known already.
    """
    counts: Counter[str] = Counter()
    roles: Counter[str] = Counter()
    findings: list[Finding] = []
    shown: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
        roles.update(part.roles)
        for finding in part.findings:
            shown[finding.code] += 1
            if shown[finding.code] <= FINDINGS_KEPT:
                findings.append(finding)
    examples = sum(part.examples for part in parts)
    if whole is None:
        whole = of_the_whole(examples, size)
    counts.update(finding.code for finding in whole)
    return CheckReport(
        file=file,
        examples=examples,
        bytes=size,
        findings=(*whole, *findings),
        counts=dict(counts),
        roles=dict(roles),
        characters=sum(part.characters for part in parts),
        unit=unit,
    )


def of_the_whole(examples: int, size: int) -> list[Finding]:
    """Apply the rules for a whole file: its examples and its bytes."""
    found = []
    if examples < MIN_EXAMPLES:
        found.append(of_file("too-few-examples", f"{examples} of at least {MIN_EXAMPLES} examples"))
    if size > chat_rules.MAX_FILE_BYTES:
        found.append(
            of_file(
                "file-too-large",
                f"{size:,} bytes, over the 512 MB of the Files API: split the file, or upload it "
                "in parts with the Uploads API (up to 8 GB)",
            )
        )
    return found


def of_file(code: str, reason: str = "") -> Finding:
    """Make a finding of a whole file."""
    rule = RULES[code]
    return Finding(code, rule.severity, None, reason or rule.meaning)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise OverflowError
    return number


def _why_refused(line: bytes) -> Departure:
    """Find out, at leisure, why orjson does not read a line: a code and a reason.

    The json module reads more: halves of surrogate pairs, NaN, numbers of any size.
    """
    try:
        value = json.loads(
            line.decode(), parse_int=_finite, parse_float=_finite, parse_constant=_finite
        )
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        return Departure("not-utf8", f"byte {error.start + 1} of the line is not UTF-8")
    except UnicodeEncodeError:
        return Departure("lone-surrogate", "an escape stands for half a surrogate pair")
    except json.JSONDecodeError as error:
        return Departure("invalid-json", f"not JSON from character {error.pos + 1} of the line on")
    except OverflowError:
        return Departure("not-finite", RULES["not-finite"].meaning)
    except RecursionError:
        pass
    return Departure("nested-too-deep", RULES["nested-too-deep"].meaning)


class ChatCheck:
    """Checks lines one after another; duplicates are found among the lines it was given.

    `tell` hears of every finding, of which the first of each code are kept. Examples of `layout`
    were told of as a whole, and are counted alone. `batches` are for who gives many at once.
    """

    def __init__(
        self,
        tell: Tell | None = None,
        unit: Unit = "line",
        layout: str | None = None,
        batches: SeenKeys | None = None,
    ) -> None:
        self._tell = tell
        self.unit = unit
        self._layout = layout
        self._findings: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self.examples = Examples(self._add)
        self._seen: set[bytes] = set()
        self._batches = batches
        self._number = 0

    def result(self) -> Checked:
        """Give what was found so far."""
        examples = self.examples
        return Checked(
            tuple(self._findings),
            dict(self._counts),
            examples.count,
            examples.roles,
            examples.characters,
        )

    def _add(self, code: str, reason: str = "") -> None:
        self._counts[code] += 1
        kept = self._counts[code] <= FINDINGS_KEPT
        if not kept and self._tell is None:
            return
        rule = RULES[code]
        told = (reason or rule.meaning).replace("the line", f"the {self.unit}")
        finding = Finding(code, rule.severity, self._number, told)
        if kept:
            self._findings.append(finding)
        if self._tell is not None:
            self._tell(finding, self.unit)

    def line(self, number: int, line: bytes | None) -> None:
        """Apply the rules for one line."""
        self._number = number
        if line is None:
            self._add("line-too-long")
            return
        if number == 1 and line.startswith(MARK):
            self._add("byte-order-mark")
            line = line[len(MARK) :]
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            if not line or line.isspace():
                self._add("blank-line")
            else:
                self._add(*_why_refused(line))
            return
        if not isinstance(row, dict):
            self._add("not-an-object", f"the line is {kind_of(row)}, not an object")
            return
        if self._layout is not None and layout_of(row) == self._layout:
            self.examples.count += 1
            self._remember(line)
            return
        self.example(number, row, line)

    def example(self, number: int, row: dict[str, Any], line: bytes) -> None:
        """Apply the rules for one line whose JSON is known."""
        self._number = number
        self._remember(line)
        self.examples.check(row)

    def examples_of(self, order: str, sizes: Sequence[int], lines: Sequence[bytes]) -> bool:
        """Take lines of our own making all at once, if nothing is to be found in any.

        Their messages are ordinary ones, in an order as `chat_turns.LETTERS` writes it, with so
        many characters in each example. Tells whether they were taken: if not, they are still to
        be given to `example`, one by one.
        """
        assert self._batches is not None
        if not self.examples.are_fine(order, max(sizes, default=0)):
            return False
        if self._remembered + len(lines) > LINES_REMEMBERED:
            return False
        digests = [xxhash.xxh3_128_digest(line.strip()) for line in lines]
        if not self._seen.isdisjoint(digests) or not self._batches.add(b"".join(digests)):
            return False
        self.examples.take(order, sizes)
        return True

    @property
    def _remembered(self) -> int:
        return len(self._seen) + (0 if self._batches is None else len(self._batches))

    def _remember(self, line: bytes) -> None:
        digest = xxhash.xxh3_128_digest(line.strip())
        if digest in self._seen or (self._batches is not None and digest in self._batches):
            self._add("duplicate")
        elif self._remembered < LINES_REMEMBERED:
            self._seen.add(digest)
        elif not self._counts["duplicates-unchecked"]:
            self._add("duplicates-unchecked")
