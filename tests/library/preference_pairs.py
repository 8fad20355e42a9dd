"""Preference pairs for tests: one of each kind, any pair, and what an export of it should hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chats import SAID
from hypothesis import strategies as st
from own_layouts import entry, merge_entries, write_rows

from mindcorpus.merging.merge import MergeResult

Row = dict[str, Any]
Message = dict[str, Any]

_OPTIONS = '[source.options]\nprompt = "prompt"\nchosen = "chosen"\nrejected = "rejected"\n'


def merge_pairs(
    folder: Path, rows: Sequence[Row], workers: int = 1, sources: int = 1
) -> MergeResult:
    """Merge pairs into a corpus, in the folder `out`, as one source or as several."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["pairs", *(f"pairs-{at}" for at in range(1, sources))]
    for at, name in enumerate(names):
        write_rows(folder / f"{name}.jsonl", rows[at::sources])
    mapping = f'adapter = "preference"\n{_OPTIONS}'
    entries = (entry(name, f"{name}.jsonl", mapping) for name in names)
    return merge_entries(folder, *entries, workers=workers)


def user(text: str, **more: Any) -> Message:
    return {"role": "user", "content": text, **more}


def assistant(text: str | None, **more: Any) -> Message:
    return {"role": "assistant", "content": text, **more}


def system(text: str) -> Message:
    return {"role": "system", "content": text}


_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"é": 1}'}}
_TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]

#: A pair of each kind: a prompt, and how each side goes on from it.
KINDS: dict[str, Row] = {
    "texts": {"prompt": "¿Qué tal? 😀", "chosen": "Bien, “gracias”.", "rejected": "No."},
    "system": {
        "prompt": [system("Sei kurz."), user("Warum?")],
        "chosen": [assistant("Darum 🙂")],
        "rejected": [assistant("Nein.")],
    },
    "developer": {
        "prompt": [{"role": "developer", "content": "Be kind."}, user("dev q")],
        "chosen": [assistant("dev yes")],
        "rejected": [assistant("dev no")],
    },
    "turns": {
        "prompt": [user("q1"), assistant("a1"), user("q2")],
        "chosen": [assistant("good 好")],
        "rejected": [assistant("bad")],
    },
    "weight in the prompt": {
        "prompt": [user("w1"), assistant("w2", weight=0), user("w3")],
        "chosen": [assistant("w good")],
        "rejected": [assistant("w bad")],
    },
    "answer of turns": {
        "prompt": [user("s1")],
        "chosen": [assistant("s2"), user("s3"), assistant("s4")],
        "rejected": [assistant("s5")],
    },
    "answer of turns that begin alike": {
        "prompt": [user("b1")],
        "chosen": [assistant("b2"), user("b3"), assistant("b4")],
        "rejected": [assistant("b2"), user("b5"), assistant("b6")],
    },
    "weight in an answer": {
        "prompt": [user("x1")],
        "chosen": [assistant("x2", weight=0), user("x3"), assistant("x4")],
        "rejected": [assistant("x5")],
    },
    "tools": {
        "prompt": [user("t1")],
        "chosen": [assistant(None, tool_calls=[_CALL])],
        "rejected": [assistant("t2")],
        "tools": _TOOLS,
        "parallel_tool_calls": False,
    },
    "names": {
        "prompt": [user("n1", name="Mia"), assistant("n2"), user("n3", name="Ole")],
        "chosen": [assistant("n4")],
        "rejected": [assistant("n5")],
    },
    "uneven": {
        "prompt": [user("u1"), user("u2")],
        "chosen": [assistant("u3")],
        "rejected": [assistant("u4")],
    },
    "late system": {
        "prompt": [user("l1"), assistant("l2"), system("Now in English."), user("l3")],
        "chosen": [assistant("l4")],
        "rejected": [assistant("l5")],
    },
    "two prompts": {
        "prompt": "",
        "chosen": [system("one"), user("p1"), assistant("p2")],
        "rejected": [system("other"), user("p1"), assistant("p3")],
    },
    "reasoning": {
        "prompt": [user("r1")],
        "chosen": [assistant("r2", reasoning_content="hm")],
        "rejected": [assistant("r3")],
    },
    "turns behind": {
        "prompt": [user("f1")],
        "chosen": [assistant("f2")],
        "rejected": [assistant("f3"), user("f4")],
    },
    "empty turn": {
        "prompt": [user("e1"), assistant(""), user("e2")],
        "chosen": [assistant("e3")],
        "rejected": [assistant("e4")],
    },
}
#: No pairs: nothing is preferred.
NO_PAIRS: dict[str, Row] = {
    "blank": {"prompt": "z1", "chosen": "z2", "rejected": " \n"},
    "the same texts": {"prompt": "y1", "chosen": "y2", "rejected": "y2"},
    "the same turns": {
        "prompt": [system("s"), user("v1")],
        "chosen": [assistant("v2")],
        "rejected": [assistant("v2")],
    },
}


@st.composite
def pairs(draw: st.DrawFn) -> list[Row]:
    """Draw pairs of conversations that any format of lists of messages carries."""
    found: list[Row] = []
    for number in range(draw(st.integers(1, 5))):
        prompt = [system(text) for text in draw(st.lists(SAID, max_size=1))]
        prompt.append(user(f"{number} {draw(SAID)}"))
        for asked in draw(st.lists(SAID, max_size=2)):
            prompt += [assistant(draw(SAID)), user(f"{number}? {asked}")]
        first = draw(st.sampled_from(["", "+"]))
        chosen, rejected = (_side(draw, f"{number}{sign}") for sign in (first, "-"))
        found.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
    return found


def _side(draw: st.DrawFn, sign: str) -> list[Message]:
    turns = [assistant(f"{sign} {draw(SAID)}")]
    for asked in draw(st.lists(SAID, max_size=1)):
        turns += [user(f"{sign}… {asked}"), assistant(draw(SAID))]
    return turns
