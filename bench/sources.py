"""The six small sources in their shapes: rows without end, as bytes of their files.

Shares of duplicates, empty answers, answers to one question and text beyond ASCII are those of
the real files. No two rows differ in blanks alone, so that «exact» and «folded» duplicates agree.
Each function takes the file's budget of bytes, too; `posts` alone orders its rows by it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from random import Random
from typing import Any

from bench.prose import Prose

CHAT_HEADER = b"instruction,input,output\n"
THREADS_HEADER = (
    b"post_id,subreddit,post_title,post_text,"
    b"comment_id,comment_text,comment_score,op_reply,support_type,label\n"
)
POSTS_HEADER = b"clean_text,is_depression\n"

_INSTRUCTION = (
    "You are a helpful mental health counselling assistant, please answer the mental health"
    " questions based on the patient's description. \nThe assistant gives helpful, comprehensive,"
    " and appropriate answers to the user's questions. "
)
_REMEMBERED = 200


class _Line:
    """What `csv.writer` writes to in order to give one row as text."""

    def write(self, text: str) -> str:
        return text


def _csv(*values: object) -> bytes:
    line: Any = csv.writer(_Line(), lineterminator="\n").writerow(values)
    return str(line).encode()


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


class _Memory:
    """The last few rows, to repeat one of them now and then."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rows: list[bytes] = []
        self._next = 0

    def keep(self, row: bytes) -> bytes:
        if len(self._rows) < _REMEMBERED:
            self._rows.append(row)
        else:
            self._rows[self._next % _REMEMBERED] = row
        self._next += 1
        return row

    def again(self, share: float) -> bytes | None:
        if self._rows and self._random.random() < share:
            return self._random.choice(self._rows)
        return None


def preferences(random: Random, _budget: int) -> Iterator[bytes]:
    """Human-Like-DPO: objects of a JSON array as pandas indents it; prompts recur, emoji abound."""
    prose = Prose(random)
    prompts = [prose.text(1, 1) for _ in range(_REMEMBERED)]
    while True:
        prompt = random.choice(prompts) if prose.chance(0.26) else prose.text(1, 2)
        chosen = prose.text(6, 20)
        if prose.chance(0.97):
            chosen = f"{prose.beyond_ascii()} {chosen} {prose.beyond_ascii()}"
        row = {"prompt": prompt, "chosen": chosen, "rejected": prose.text(5, 20)}
        fields = ",\n".join(f'  "{name}":{json.dumps(text)}' for name, text in row.items())
        yield f" {{\n{fields}\n }}".encode()


def counselling(random: Random, _budget: int) -> Iterator[bytes]:
    """Amod: up to 94 answers to one question, 22 % of the rows repeated, a few answers empty."""
    prose = Prose(random)
    memory = _Memory(random)
    while True:
        question = prose.text(2, 12, "\r\n" if prose.chance(0.23) else " ")
        for _ in range(min(94, 1 + int(random.expovariate(1 / 3)))):
            answer = prose.text(
                8, 300 if prose.chance(0.002) else 25, random.choice((" ", "", "\n\n"))
            )
            if prose.chance(0.67):
                answer = answer.replace(" ", "\u00a0", 2)
            if prose.chance(1 / 900):
                answer = ""
            row = _json({"Context": question, "Response": answer}) + "\n"
            yield memory.again(0.22) or memory.keep(row.encode())


def chats(random: Random, _budget: int) -> Iterator[bytes]:
    """MentalChat16K: one constant instruction; numbered lists, stray quotes, blank sides."""
    prose = Prose(random)
    memory = _Memory(random)
    while True:
        asked = prose.text(3, 12)
        if prose.chance(0.08):
            asked = f'"{asked}'
        if prose.chance(0.04):
            asked = f"{asked} {prose.beyond_ascii()}"
        points = (f"{at}. {prose.text(1, 4)}" for at in range(1, random.randint(3, 9)))
        answer = "\n\n".join(points) if prose.chance(0.4) else prose.text(10, 25)
        if prose.chance(1 / 1000):
            answer = ""
        if prose.chance(1 / 2000):
            asked = ""
        row = _csv(_INSTRUCTION, asked, answer)
        yield memory.again(0.005) or memory.keep(row)


def threads(random: Random, _budget: int) -> Iterator[bytes]:
    """RedditESS: one row a comment, the post repeated; some deleted, empty or said twice."""
    prose = Prose(random)
    number = 0
    while True:
        number += 1
        title, post = prose.text(1, 1), prose.text(4, 30, "\n\n" if prose.chance(0.5) else " ")
        subreddit = random.choice(("depression", "anxiety", "ptsd", "stress", "mentalhealth"))
        comment = ""
        for at in range(1 + int(random.expovariate(1 / 34))):
            if not (comment and prose.chance(0.005)):
                comment = prose.text(1, 8)
            chance = random.random()
            if chance < 0.03:
                shown = random.choice(("[deleted]", "[removed]"))
            elif chance < 0.04:
                shown = ""
            elif chance < 0.07:
                shown = f"{comment} &amp; {prose.beyond_ascii()}"
            else:
                shown = comment
            yield _csv(
                f"t3_{number:07}",
                subreddit,
                title,
                post,
                f"t1_{number:07}_{at}",
                shown,
                random.randint(-5, 300),
                prose.text(1, 1) if prose.chance(0.2) else "",
                random.choice(("validation", "informational", "companionship", "")),
                random.randint(0, 1),
            )


def programmes(random: Random, _budget: int) -> Iterator[bytes]:
    """TRACE: chats of three messages beside nested labels whose keys differ by task."""
    prose = Prose(random)
    systems = prose.text(4, 4, "\n"), prose.text(4, 4, "\n")
    while True:
        teaching = prose.chance(0.5)
        target, dash = prose.name(), random.choice(("—", "≥", "×"))
        user = f"Target: {target}\nLearner: {prose.name(2)}\n\n{prose.text(2, 14)}"
        sections = "\n\n".join(f"## {prose.name(2)}\n- {prose.text(2, 6)} {dash}" for _ in range(7))
        labels = (
            {"method": random.choice(("dtt", "net", "task_analysis")), "domain": prose.name(1)}
            if teaching
            else {
                "pattern_class": random.choice(("mastery", "plateau", "regression", "variable")),
                "behavior_functions": {prose.name(1): random.choice(("escape", "attention"))},
                "confidence": "high",
            }
        )
        row = {
            "messages": [
                {"role": "system", "content": systems[teaching]},
                {"role": "user", "content": user},
                {"role": "assistant", "content": f"## Overview\n- Target: {target}\n\n{sections}"},
            ],
            "meta": {
                "task_type": "teaching_program" if teaching else "session_interpretation",
                "example_id": f"{random.getrandbits(64):016x}",
                "gold_labels": labels,
                "provenance": {
                    "layer": 1,
                    "teacher_model": None,
                    "seed_tag": str(random.randint(1, 9999)),
                },
            },
        }
        yield f"{_json(row)}\n".encode()


def posts(random: Random, budget: int) -> Iterator[bytes]:
    """Depression-Reddit-Cleaned: all ones, 90 % of the bytes, then short zeros; 1 % repeated."""
    prose = Prose(random)
    ones, zeros = _Memory(random), _Memory(random)
    written = 0
    while True:
        if written < 0.9 * budget:
            most = random.choice((20, 80, 80, 150, 400, 1500))
            row = ones.again(0.01) or ones.keep(_csv(f"i {prose.lower_case(3, most)}", 1))
        else:
            row = zeros.again(0.01) or zeros.keep(_csv(f"u {prose.lower_case(3, 18)}", 0))
        written += len(row)
        yield row
