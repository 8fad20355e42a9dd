"""ShareGPT JSON lines: `conversations` of turns {from, value}, in a train and a validation file.

The keys are those that Unsloth's `standardize_sharegpt` and LLaMA-Factory's `sharegpt` read;
calls, their answers and the tools are written as the latter has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import orjson

from mindcorpus.conversations import INSTRUCTING, Conversation, Turn, as_text, calls_in, function_of
from mindcorpus.corpus.row_facts import Numbers, RowFacts
from mindcorpus.formats.base import Made
from mindcorpus.formats.chats import ChatEncoder, ChatFormat, Encoded
from mindcorpus.formats.lines import LineFile, Lines
from mindcorpus.records import is_blank
from mindcorpus.storage.files import Written
from mindcorpus.warning import DataWarning

_HEAD = b'{"conversations":[{"from":"human","value":'
_MIDDLE = b'},{"from":"gpt","value":'
_END = b"}]}\n"
_FROM = {
    "system": "system",
    "developer": "system",
    "user": "human",
    "assistant": "gpt",
    "tool": "observation",
}
#: Who may speak when one side speaks after the other.
_SIDES = (("human", "observation"), ("gpt", "function_call"))


class Conversations(ChatEncoder):
    """Encodes records as conversations; knows their sizes where all are plain records."""

    def __init__(self, system_prompt: str, policy: str) -> None:
        super().__init__()
        self._policy = policy
        self._prompt = Turn("system", system_prompt)
        self._uneven = 0

    def sizes(self, rows: RowFacts) -> Numbers | None:
        """Give the bytes of each corpus row's line, shape (rows,); None where one has turns."""
        if rows.turns_json.any():
            return None
        frame = len(_HEAD) + len(_MIDDLE) + len(_END)
        sizes: Numbers = rows.input_json + rows.response_json + frame
        return sizes

    def plain(self, input_: str, response: str) -> bytes:
        """Give the line of a record that its two texts say."""
        return b"".join((_HEAD, orjson.dumps(input_), _MIDDLE, orjson.dumps(response), _END))

    def chat(self, chat: Conversation) -> tuple[bytes, Sequence[str]]:
        """Give the line of a conversation."""
        turns = _in_order_of_calls(self._with_policy(chat.turns))
        said = [each for turn in turns for each in _said(turn)]
        self._uneven += not _take_turns([from_ for from_, _ in said])
        value: dict[str, Any] = {
            "conversations": [{"from": from_, "value": text} for from_, text in said]
        }
        if chat.tools is not None:
            value["tools"] = chat.tools
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE), tuple(_changes(chat))

    def _with_policy(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """Keep a record's own instructions, or put the prompt in their place, or none."""
        if self._policy == "own":
            return turns
        others = [turn for turn in turns if turn.role not in INSTRUCTING]
        replaced = self._policy == "replace" and len(others) < len(turns)
        return [self._prompt, *others] if replaced else others

    def result(self) -> Encoded:
        """Give what was done to conversations, and in how many nobody takes turns."""
        return Encoded(self._changed, self._uneven)


def _in_order_of_calls(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Put the answers that follow several calls into the order of these: without ids that tells."""
    found = list(turns)
    for at, turn in enumerate(turns):
        if turn.role != "assistant" or turn.tool_calls is None:
            continue
        end = at + 1
        while end < len(turns) and turns[end].role == "tool":
            end += 1
        answers = turns[at + 1 : end]
        places = {as_text(call.get("id")): place for place, call in enumerate(calls_in(turn))}
        if all(answer.tool_call_id in places for answer in answers):
            found[at + 1 : end] = sorted(answers, key=lambda each: places[each.tool_call_id or ""])
    return found


def _said(turn: Turn) -> Iterator[tuple[str, str]]:
    """Give the turns that one becomes: a text and the calls beside it are two."""
    calls = _calls(turn)
    if not calls or not is_blank(turn.content or ""):
        yield _FROM[turn.role], turn.content or ""
    if calls:
        # LLaMA-Factory takes one call, or a list of them.
        yield "function_call", _text(calls[0] if len(calls) == 1 else calls)


def _calls(turn: Turn) -> list[dict[str, Any]]:
    if turn.role != "assistant" or turn.tool_calls is None:
        return []
    return [_call(function_of(call)) for call in calls_in(turn)]


def _call(function: dict[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments", "{}")
    if isinstance(arguments, str):
        # Broken ones are written as the source has them.
        with suppress(ValueError):
            arguments = json.loads(arguments)
    return {"name": str(function.get("name", "")), "arguments": arguments}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _take_turns(froms: Sequence[str]) -> bool:
    """Tell whether one side speaks after the other, as LLaMA-Factory wants it."""
    spoken = froms[froms[0] == "system" :]
    return len(spoken) % 2 == 0 and all(from_ in _SIDES[at % 2] for at, from_ in enumerate(spoken))


def _changes(chat: Conversation) -> Iterator[str]:
    turns = chat.turns
    calling = [turn for turn in turns if turn.role == "assistant" and turn.tool_calls is not None]
    if any(not is_blank(turn.content or "") for turn in calling):
        yield "calls-as-turn-of-their-own"
    if calling or any(turn.role == "tool" and turn.tool_call_id is not None for turn in turns):
        yield "call-ids-left-out"
    if any(turn.role == "tool" and turn.name is not None for turn in turns):
        yield "tool-names-left-out"
    if chat.parallel_tool_calls is not None:
        yield "parallel-tool-calls-left-out"


class ShareGPT(ChatFormat):
    """A folder with a train and a validation file, a conversation a line."""

    def lines(self) -> Sequence[Lines]:
        """Give what encodes them."""
        settings = self.settings["system_prompt"], self.settings["system_policy"]
        return [Lines(Conversations, settings)]

    def describe(
        self,
        files: Sequence[LineFile],
        outputs: Sequence[Written],
        encoded: Sequence[Sequence[Any]],
    ) -> Made:
        """Tell what was done to conversations, and which of them a reader would leave out."""
        uneven = sum(run.checked for run in encoded[0])
        warning = DataWarning(
            "uneven-turns",
            f"In {uneven:,} of the rows users and assistants do not take turns, or a system turn "
            "stands between theirs: LLaMA-Factory leaves such rows out.",
        )
        made = super().describe(files, outputs, encoded)
        return replace(made, warnings=[warning] if uneven else [])


FORMAT = ShareGPT
