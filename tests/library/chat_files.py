"""Chat files for tests of the chat check: good lines, and files that are something else."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from mindcorpus.formats.chat_check import CheckReport
from mindcorpus.formats.chat_file import check_chat_file

USER = {"role": "user", "content": "a question"}
ANSWER = {"role": "assistant", "content": "an answer"}
CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def example(number: int = 0) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": f"rule {number}"}, USER, ANSWER]}


def chat(*messages: Any, **top: Any) -> bytes:
    return json.dumps({"messages": messages, **top}).encode()


GOOD = [json.dumps(example(number)).encode() for number in range(10)]


def check(*lines: bytes) -> CheckReport:
    return check_bytes(b"\n".join(lines))


def check_bytes(content: bytes, name: str = "chat.jsonl") -> CheckReport:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        return check_chat_file(path)


def _lines(*rows: Any) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


_TEXTS = ["Ça va ?", "Жанна 🙂", "“curly”"]
_SHAREGPT = [
    {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": "y"}]}
    for text in _TEXTS
]
_ALPACA = [{"instruction": text, "input": "", "output": "y"} for text in _TEXTS]
_LONG = ["Ж" * 1000] * 1000

#: Files of which one finding says what they are; nothing else of them is told.
NOT_EXAMPLES: list[tuple[str, bytes]] = [
    ("html-page", b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>"),
    ("html-page", b"\n <HTML lang='en'>\n{}\n"),
    ("html-page", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
    (
        "lfs-pointer",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    ),
    ("utf-16", b"\n".join(GOOD).decode().encode("utf-16")),
    ("utf-16", b"\n".join(GOOD).decode().encode("utf-16-le")),
    ("utf-16", b"\n".join(GOOD).decode().encode("utf-16-be")),
    ("utf-16", b"\n".join(GOOD).decode().encode("utf-32")),
    ("csv-table", "prompt,completion\nÇa va ?,yes\n".encode()),
    ("csv-table", b'\xef\xbb\xbf"prompt";"completion"\r\n"x";"y"\r\n'),
    ("csv-table", "id\tFrage\tAntwort des Arztes\n1\tgröße\ty\n".encode("cp1252")),
    ("object-of-arrays", _lines({"prompt": _TEXTS, "completion": _TEXTS})),
    ("object-of-arrays", _lines({"messages": [example()["messages"]] * 3})),
    ("object-of-arrays", _lines({"conversations": [_SHAREGPT[0]["conversations"]] * 3})),
    ("object-of-arrays", _lines({"version": "1", "data": [example(), example(1)]})),
    ("object-of-arrays", json.dumps({"data": [example(), example(1)]}, indent=2).encode()),
    ("object-of-arrays", _lines({"prompt": {"0": "x", "1": "y"}, "completion": {"0": "z"}})),
    ("object-of-arrays", _lines({"prompt": _LONG, "completion": _LONG})),
    ("object-of-arrays", json.dumps({"rows": [{"x": y} for y in _LONG]}, indent=1).encode()),
]
#: Files whose examples are checked, though they do not stand one a line or have other keys.
OTHER_FORMS: list[tuple[str, bytes]] = [
    ("json-array", json.dumps([json.loads(line) for line in GOOD], indent=2).encode()),
    ("json-array", b"[" + b",".join(GOOD) + b"]"),
    ("json-array", b"[\n" + b",\n".join(GOOD) + b"\n]\n"),
    ("json-array", b"[" + b"\n,".join(GOOD) + b"\n]\n"),
    ("json-array", b"\r\n\t[" + b",\r\n\r\n".join(GOOD) + b"]"),
    ("json-over-lines", b"\n".join(json.dumps(json.loads(x), indent=4).encode() for x in GOOD)),
    ("json-over-lines", b"\n".join(line.replace(b": [", b":\n[") for line in GOOD)),
    ("other-layout", _lines(*_SHAREGPT * 4)),
    ("other-layout", _lines(*_ALPACA * 4)),
    ("other-layout", _lines(*[{"prompt": text, "completion": "y"} for text in _TEXTS * 4])),
    ("other-layout", _lines(*[{"role": "user", "content": text} for text in _TEXTS * 4])),
    ("other-layout", _lines(*[{"chosen": text, "rejected": "y"} for text in _TEXTS * 4])),
]
NOT_LINES = [*NOT_EXAMPLES, *OTHER_FORMS]
