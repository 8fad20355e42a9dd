"""The rules for chat files: OpenAI's published ones for fine-tuning, and what follows from them.

An *error* is what the provider refuses, or what breaks a rule of its schema or of JSON; a *warning*
is advice: such a file is taken, but probably not what was meant. `RULES` lists every code. Sources:

- guide: OpenAI, "Fine-tuning", platform.openai.com/docs/guides/fine-tuning, in its text of the
  turn to 2025: at least 10 examples, `weight` 0 or 1, file sizes, and where examples are cut off.
- schema: `FineTuneChatRequestInput` of github.com/openai/openai-openapi (2025): the keys, which
  role has which, and what may be null; what calls and definitions of tools consist of, and that
  arguments are JSON as text. Chat Completions adds the role `developer`.
- cookbook: "Data preparation and analysis for chat model fine-tuning", github.com/openai/
  openai-cookbook (2023, last changed 2024): roles, unknown message keys, non-empty content.
- Chat Completions, as its API answers (2023 on): a message of role tool stands behind the message
  whose `tool_calls` it answers.
- JSON itself: RFC 8259 (2017): UTF-8 without a byte-order mark, no NaN, no infinity.

That the last message must be the assistant's is written in none of them: it is what the upload
asks for (users' reports, 2024). Which arguments a tool takes is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from mindcorpus.formats.chat_examples import MAX_EXAMPLE_TOKENS, ROLES

Severity = Literal["error", "warning"]

#: Guide, "Example count recommendations".
MIN_EXAMPLES = 10
#: Guide, "Size limits": 512 MB through the Files API (as the API reference said in 2026), and 8 GB
#: in parts through the Uploads API. MB is read as MiB: what is larger is too large either way.
MAX_FILE_BYTES = 512 * 1024 * 1024


class Rule(NamedTuple):
    """What a finding's code stands for."""

    severity: Severity
    meaning: str


#: Of the whole file; the first of them mean that nothing else of it is checked.
_FILE_RULES: Mapping[str, Rule] = {
    "html-page": Rule("error", "the file is a web page, not data"),
    "lfs-pointer": Rule("error", "the file is a Git LFS pointer; the data itself is elsewhere"),
    "utf-16": Rule("error", "the file is UTF-16 or UTF-32, not UTF-8"),
    "csv-table": Rule("error", "the file is a table with delimiters, not JSON lines"),
    "object-of-arrays": Rule("error", "the file is one object that holds all examples"),
    "json-array": Rule("error", "the file is a JSON array, not an example a line"),
    "json-over-lines": Rule("error", "examples stand over several lines, not one a line"),
    "other-layout": Rule("error", "the examples are of another layout, not lists of messages"),
    "compressed": Rule("warning", "the file is compressed; what is in it was checked"),
    "damaged": Rule("error", "the compressed data is damaged, or cut off; it was read so far"),
    "too-few-examples": Rule("error", "the file has fewer than 10 examples"),
    "file-too-large": Rule("error", "the file is larger than the 512 MB the Files API takes"),
    "byte-order-mark": Rule("error", "the file begins with a byte-order mark"),
}
_LINE_RULES: Mapping[str, Rule] = {
    "blank-line": Rule("warning", "the line is blank"),
    "line-too-long": Rule("error", "the line is longer than 64 MiB; it was not read"),
    "not-utf8": Rule("error", "the line is not UTF-8"),
    "invalid-json": Rule("error", "the line is not JSON"),
    "lone-surrogate": Rule("error", "a text has half a surrogate pair, which UTF-8 cannot carry"),
    "not-finite": Rule("error", "a number is NaN, infinite or too large for a double"),
    "nested-too-deep": Rule("error", "values are nested deeper than JSON readers go"),
    "not-an-object": Rule("error", "the line is JSON, but not an object"),
    "duplicate": Rule("warning", "the line is equal to an earlier one"),
    "duplicates-unchecked": Rule("warning", "after a million different lines none is remembered"),
}
_EXAMPLE_RULES: Mapping[str, Rule] = {
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
    "truncated": Rule(
        "warning", f"over {MAX_EXAMPLE_TOKENS:,} tokens by estimate; the provider cuts off the end"
    ),
}
_TURN_RULES: Mapping[str, Rule] = {
    "last-not-assistant": Rule("error", "the last message is not the assistant's"),
    "no-user-message": Rule("warning", "no message is the user's"),
    "assistant-first": Rule("warning", "the assistant speaks before the user does"),
    "system-not-first": Rule(
        "warning", "a system or developer message stands behind one of another role"
    ),
    "consecutive-turns": Rule(
        "warning", "two messages in a row are the user's, or the assistant's"
    ),
    "nothing-to-learn": Rule("warning", "every message of the assistant has weight 0"),
    "tool-answer-unasked": Rule("error", "a tool's answer belongs to no call that waits for one"),
    "tool-answer-misplaced": Rule("error", "a tool's answer does not stand right behind its call"),
    "call-unanswered": Rule("warning", "a tool is called, and other messages follow but no answer"),
}
_TOOL_RULES: Mapping[str, Rule] = {
    "tool-call": Rule("error", "a call is not an object with id, type function and function"),
    "tool-definition": Rule("error", "a tool is not an object with type function and function"),
    "function-name": Rule(
        "error", "a function has no name, or one that is not 1 to 64 of a-z, A-Z, 0-9, _ and -"
    ),
    "tool-arguments": Rule("error", "a call's arguments are not an object as JSON text"),
}
RULES: Mapping[str, Rule] = {
    **_FILE_RULES,
    **_LINE_RULES,
    **_EXAMPLE_RULES,
    **_TURN_RULES,
    **_TOOL_RULES,
}


def rule_of(code: str) -> Rule:
    """Give what a code of any format stands for; one that is not of this list is advice."""
    return RULES.get(code) or Rule("warning", code)
