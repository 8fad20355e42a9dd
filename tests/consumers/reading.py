"""What every reader of this folder needs: what it is given, and one form for what came out.

Readers run in a consumer's own environment, without mindcorpus: they see published folders alone.
A row is told as a mapping of its sides (`turns`; `prompt`, `chosen`, `rejected`; `prompt`,
`completion`, `label`; or `columns`), each a list of [role, text]; a call of tools is a turn `call`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Turn = list[str]
Row = dict[str, Any]
Files = dict[str, list[Row]]
"""The rows of each file of a format, by its path in the folder."""

#: The texts of a record that is to be annotated.
_ANNOTATED = ("input", "response", "source")
_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "model": "assistant",
    "developer": "system",
    "observation": "tool",
    "tool_response": "tool",
    "function_call": "call",
    "function": "call",
    "tool_call": "call",
}


def read_all(readers: Mapping[str, Callable[[Path], Files]]) -> None:
    """Read each FORMAT=FOLDER of the command line and write {format: {file: rows}} as JSON.

    The first argument is the file to write: what loaders print may go where it wants. A format
    without a reader of its own is read by that of `*`.
    """
    told: dict[str, Files] = {}
    for given in sys.argv[2:]:
        name, _, folder = given.partition("=")
        told[name] = (readers.get(name) or readers["*"])(Path(folder))
    Path(sys.argv[1]).write_text(json.dumps(told, ensure_ascii=False), "utf-8")


def files_in(folder: Path, ending: str = "*.jsonl") -> list[str]:
    """Give the names of the files that hold records."""
    return sorted(path.name for path in folder.glob(ending))


def turns(messages: Iterable[Mapping[str, Any]]) -> list[Turn]:
    """Give messages of any of the layouts as [role, text]; a text beside calls is a turn before."""
    found: list[Turn] = []
    for message in messages:
        role = message.get("role") or message.get("from")
        role = _ROLES.get(str(role), str(role))
        text = _text(message)
        called = message.get("tool_calls")
        if role == "call":
            found.append(["call", _calls(text)])
        elif not called:
            found.append([role, text])
        else:
            if text.strip():
                found.append([role, text])
            found.append(["call", _calls(called)])
    return _joined_calls(found)


def row(value: Mapping[str, Any]) -> Row:
    """Give a row of any of the formats in the one form; raises `StopIteration` for what is none."""
    # Loaders give null for a column that only other rows have.
    known = (read for key, read in _LAYOUTS.items() if value.get(key) is not None)
    return next(known)(value)


def _pair(value: Mapping[str, Any]) -> Row:
    return {side: turns(_listed(value[side])) for side in ("prompt", "chosen", "rejected")}


def _provider_pair(value: Mapping[str, Any]) -> Row:
    return {
        "prompt": turns(value["input"]["messages"]),
        "chosen": turns(value["preferred_output"]),
        "rejected": turns(value["non_preferred_output"]),
    }


def _rejected_beside(value: Mapping[str, Any]) -> Row:
    *prompt, chosen = turns(value["messages"])
    rejected = ["assistant", value["rejected_response"]]
    return {"prompt": prompt, "chosen": [chosen], "rejected": [rejected]}


def _labelled(value: Mapping[str, Any]) -> Row:
    sides = {side: turns(value[side]) for side in ("prompt", "completion")}
    return {**sides, "label": value["label"]}


def _gemini(value: Mapping[str, Any]) -> Row:
    system = value.get("systemInstruction")
    before = [] if system is None else [{**system, "role": "system"}]
    return {"turns": turns([*before, *value["contents"]])}


def _bedrock(value: Mapping[str, Any]) -> Row:
    system = value.get("system")
    before = [{"role": "system", "content": system}] if system else []
    return {"turns": turns([*before, *value["messages"]])}


#: How a row is read, by a key that only rows of its layout have; the first that fits.
_LAYOUTS: dict[str, Callable[[Mapping[str, Any]], Row]] = {
    "chosen": _pair,
    "completion": _labelled,
    "preferred_output": _provider_pair,
    "rejected_response": _rejected_beside,
    "instruction": lambda value: columns(value, ("input", "output", "source")),
    "fields": lambda value: columns({**value["fields"], **value["metadata"]}, _ANNOTATED),
    "data": lambda value: columns(value["data"], _ANNOTATED),
    "contents": _gemini,
    "schemaVersion": _bedrock,
    "messages": lambda value: {"turns": turns(value["messages"])},
    "conversations": lambda value: {"turns": turns(value["conversations"])},
}


def columns(value: Mapping[str, Any], names: Sequence[str]) -> Row:
    """Give texts of a table's row."""
    return {"columns": [[name, value[name]] for name in names]}


def _listed(messages: Any) -> Sequence[Mapping[str, Any]]:
    return [messages] if isinstance(messages, Mapping) else messages


def _text(message: Mapping[str, Any]) -> str:
    names = ("content", "value", "parts")
    content = next((message[name] for name in names if message.get(name) is not None), "")
    if isinstance(content, list) and all(isinstance(part, Mapping) for part in content):
        # Parts of a text, as providers have them.
        return "".join(part["text"] for part in content)
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _calls(given: Any) -> str:
    """Give calls of tools as one text: name and arguments of each, keys in order."""
    value = json.loads(given) if isinstance(given, str) else given
    found = []
    for call in value if isinstance(value, list) else [value]:
        function = call.get("function") or call
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            arguments = json.loads(arguments)
        found.append([function["name"], arguments])
    return json.dumps(found, ensure_ascii=False, sort_keys=True)


def _joined_calls(found: list[Turn]) -> list[Turn]:
    """Put calls that follow one another into one turn: some loaders tell each as its own."""
    joined: list[Turn] = []
    for role, text in found:
        if role == "call" and joined and joined[-1][0] == "call":
            both = json.loads(joined.pop()[1]) + json.loads(text)
            joined.append([role, json.dumps(both, ensure_ascii=False, sort_keys=True)])
        else:
            joined.append([role, text])
    return joined
