"""Check a chat JSON-lines file against OpenAI's published rules for fine-tuning.

An *error* is what the provider refuses, or what breaks a rule of its schema or of JSON; a *warning*
is advice: such a file is taken, but probably not what was meant. `RULES` lists every code. Sources:

- guide: OpenAI, "Fine-tuning", platform.openai.com/docs/guides/fine-tuning, in its text of the
  turn to 2025: at least 10 examples, `weight` 0 or 1, file sizes, and where examples are cut off.
- schema: `FineTuneChatRequestInput` of github.com/openai/openai-openapi (2025): the keys, which
  role has which, and what may be null. Chat Completions adds the role `developer`.
- cookbook: "Data preparation and analysis for chat model fine-tuning", github.com/openai/
  openai-cookbook (2023, last changed 2024): roles, unknown message keys, non-empty content.
- JSON itself: RFC 8259 (2017): UTF-8 without a byte-order mark, no NaN, no infinity.

That the last message must be the assistant's is written in none of them: it is what the upload
asks for (users' reports, 2024). What is inside tool calls and tool definitions is not checked.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import orjson
import xxhash

from mindcorpus.errors import SettingsError
from mindcorpus.formats.chat_examples import MAX_EXAMPLE_TOKENS, ROLES, Examples, kind_of
from mindcorpus.limits import MAX_RECORD_BYTES
from mindcorpus.progress import Cancellation, Progress, Reporter, silent

Severity = Literal["error", "warning"]

#: Guide, "Example count recommendations".
MIN_EXAMPLES = 10
#: Guide, "Size limits": 512 MB through the Files API (as the API reference said in 2026), and 8 GB
#: in parts through the Uploads API. MB is read as MiB: what is larger is too large either way.
MAX_FILE_BYTES = 512 * 1024 * 1024
#: How many findings of one code a report holds; all are counted.
FINDINGS_KEPT = 20
#: How many different lines are remembered to find duplicates: about 90 MB at the most.
LINES_REMEMBERED = 1_000_000

_MARK = b"\xef\xbb\xbf"
_READ_BYTES = 1024 * 1024


class Rule(NamedTuple):
    """What a finding's code stands for."""

    severity: Severity
    meaning: str


RULES: Mapping[str, Rule] = {
    "too-few-examples": Rule("error", "the file has fewer than 10 examples"),
    "file-too-large": Rule("error", "the file is larger than the 512 MB the Files API takes"),
    "byte-order-mark": Rule("error", "the file begins with a byte-order mark"),
    "blank-line": Rule("warning", "the line is blank"),
    "line-too-long": Rule("error", "the line is longer than 64 MiB; it was not read"),
    "not-utf8": Rule("error", "the line is not UTF-8"),
    "invalid-json": Rule("error", "the line is not JSON"),
    "lone-surrogate": Rule("error", "a text has half a surrogate pair, which UTF-8 cannot carry"),
    "not-finite": Rule("error", "a number is NaN, infinite or too large for a double"),
    "nested-too-deep": Rule("error", "values are nested deeper than JSON readers go"),
    "not-an-object": Rule("error", "the line is JSON, but not an object"),
    "unknown-key": Rule("warning", "the example has a key that is not in the published schema"),
    "messages-missing": Rule("error", "the example has no messages"),
    "messages-not-a-list": Rule("error", "messages is not a list"),
    "messages-empty": Rule("error", "messages is an empty list"),
    "message-not-an-object": Rule("error", "a message is not an object"),
    "message-unknown-key": Rule("error", "a message has a key that is not in the published schema"),
    "role-missing": Rule("error", "a message has no role"),
    "role-unknown": Rule("error", f"a message's role is none of {', '.join(sorted(ROLES))}"),
    "content-missing": Rule("error", "content is absent or null, and the assistant calls no tool"),
    "content-empty": Rule("error", "content is an empty text or an empty list"),
    "content-blank": Rule("warning", "content is nothing but blanks"),
    "content-wrong-type": Rule("error", "content is neither a text nor a list of parts"),
    "content-part": Rule("error", "a part of a content list is not of the published form"),
    "key-missing": Rule(
        "error", "a tool message has no tool_call_id, or a function message no name"
    ),
    "key-wrong-role": Rule("error", "a message has a key that its role may not have"),
    "wrong-type": Rule("error", "a key's value is not of the type the schema gives it"),
    "weight": Rule("error", "weight is neither 0 nor 1"),
    "last-not-assistant": Rule("error", "the last message is not the assistant's"),
    "no-user-message": Rule("warning", "no message is the user's"),
    "nothing-to-learn": Rule("warning", "every message of the assistant has weight 0"),
    "truncated": Rule(
        "warning", f"over {MAX_EXAMPLE_TOKENS:,} tokens by estimate; the provider cuts off the end"
    ),
    "duplicate": Rule("warning", "the line is equal to an earlier one"),
    "duplicates-unchecked": Rule("warning", "after a million different lines none is remembered"),
}


def rule_of(code: str) -> Rule:
    """Give what a code of any format stands for; one that is not of this list is advice."""
    return RULES.get(code) or Rule("warning", code)


@dataclass(frozen=True)
class Finding:
    """One departure from a rule; `line` counts from 1 and is None for the whole file."""

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

    @property
    def ok(self) -> bool:
        """Whether nothing was found but warnings."""
        return all(RULES[code].severity != "error" for code in self.counts)

    def as_dict(self) -> dict[str, Any]:
        """Give the report as JSON values, `ok` included."""
        return {"ok": self.ok, **asdict(self), "findings": [asdict(each) for each in self.findings]}


def check_chat_file(
    path: Path, report: Reporter = silent, cancel: Cancellation | None = None
) -> CheckReport:
    """Check every line of a chat JSON-lines file; whatever it holds, the answer is a report.

    Raises `SettingsError` if the file cannot be read, `CancelledError` if asked to stop.
    """
    cancel = cancel or Cancellation()
    check = ChatCheck()
    done = reported = 0
    cancel.check()
    with _opened(path) as file:
        total = os.fstat(file.fileno()).st_size or None
        for number, (line, size) in enumerate(_lines(file, path, cancel), 1):
            done += size
            check.line(number, line)
            if done - reported >= _READ_BYTES:
                reported = done
                cancel.check()
                report(Progress("check", path.name, check.examples.count, done, total))
    report(Progress("check", path.name, check.examples.count, done, total))
    return combine([check.result()], str(path), done)


@dataclass(frozen=True)
class Checked:
    """What was found in some lines of a file; what follows from the whole file is not in it."""

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    examples: int
    roles: Mapping[str, int]
    characters: int


def combine(parts: Sequence[Checked], file: str, size: int) -> CheckReport:
    """Join what was found in the parts of a file, in order, and apply the rules for the whole."""
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
    whole = _of_the_whole(examples, size)
    counts.update(finding.code for finding in whole)
    return CheckReport(
        file=file,
        examples=examples,
        bytes=size,
        findings=(*whole, *findings),
        counts=dict(counts),
        roles=dict(roles),
        characters=sum(part.characters for part in parts),
    )


def _of_the_whole(examples: int, size: int) -> list[Finding]:
    found = {}
    if examples < MIN_EXAMPLES:
        found["too-few-examples"] = f"{examples} of at least {MIN_EXAMPLES} examples"
    if size > MAX_FILE_BYTES:
        found["file-too-large"] = (
            f"{size:,} bytes, over the 512 MB of the Files API: split the file, or upload it "
            "in parts with the Uploads API (up to 8 GB)"
        )
    return [Finding(code, RULES[code].severity, None, reason) for code, reason in found.items()]


def _unreadable(path: Path, reason: str) -> SettingsError:
    return SettingsError(
        f"cannot be read: {reason}",
        file=str(path),
        hint="Name a chat JSON-lines file that exists and that you may read.",
    )


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=_READ_BYTES)
    except OSError as error:
        raise _unreadable(path, (error.strerror or "input/output error").lower()) from None
    except ValueError:  # a NUL in the path
        raise _unreadable(path, "not a file name") from None


def _lines(file: BinaryIO, path: Path, cancel: Cancellation) -> Iterator[tuple[bytes | None, int]]:
    """Yield each line with its size in the file; None stands for one that is too long to hold."""
    try:
        while line := file.readline(MAX_RECORD_BYTES + 1):
            size = len(line)
            if size <= MAX_RECORD_BYTES or line.endswith(b"\n"):
                yield line, size
                continue
            while line and not line.endswith(b"\n"):
                cancel.check()
                line = file.readline(_READ_BYTES)
                size += len(line)
            yield None, size
    except OSError as error:
        raise _unreadable(path, (error.strerror or "input/output error").lower()) from None


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise OverflowError
    return number


def _why_refused(line: bytes) -> tuple[str, str]:
    """Find out, at leisure, why orjson does not read a line: a code and a reason.

    The json module reads more: halves of surrogate pairs, NaN, numbers of any size.
    """
    try:
        value = json.loads(
            line.decode(), parse_int=_finite, parse_float=_finite, parse_constant=_finite
        )
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        return "not-utf8", f"byte {error.start + 1} of the line is not UTF-8"
    except UnicodeEncodeError:
        return "lone-surrogate", "an escape stands for half a surrogate pair"
    except json.JSONDecodeError as error:
        return "invalid-json", f"not JSON from character {error.pos + 1} of the line on"
    except OverflowError:
        return "not-finite", RULES["not-finite"].meaning
    except RecursionError:
        pass
    return "nested-too-deep", RULES["nested-too-deep"].meaning


class ChatCheck:
    """Checks lines one after another; duplicates are found among the lines it was given."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self.examples = Examples(self._add)
        self._seen: set[bytes] = set()
        self._number = 0

    def result(self) -> Checked:
        """Give what was found so far."""
        examples = self.examples
        return Checked(
            tuple(self._findings),
            dict(self._counts),
            examples.count,
            dict(examples.roles),
            examples.characters,
        )

    def _add(self, code: str, reason: str = "") -> None:
        self._counts[code] += 1
        if self._counts[code] <= FINDINGS_KEPT:
            rule = RULES[code]
            self._findings.append(
                Finding(code, rule.severity, self._number, reason or rule.meaning)
            )

    def line(self, number: int, line: bytes | None) -> None:
        """Apply the rules for one line."""
        self._number = number
        if line is None:
            self._add("line-too-long")
            return
        if number == 1 and line.startswith(_MARK):
            self._add("byte-order-mark")
            line = line[len(_MARK) :]
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
        self.example(number, row, line)

    def example(self, number: int, row: dict[str, Any], line: bytes) -> None:
        """Apply the rules for one line whose JSON is known."""
        self._number = number
        self._remember(line)
        self.examples.check(row)

    def _remember(self, line: bytes) -> None:
        digest = xxhash.xxh3_128_digest(line.strip())
        if digest in self._seen:
            self._add("duplicate")
        elif len(self._seen) < LINES_REMEMBERED:
            self._seen.add(digest)
        elif not self._counts["duplicates-unchecked"]:
            self._add("duplicates-unchecked")
