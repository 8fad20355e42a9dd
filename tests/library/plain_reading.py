"""What a merge must give, read a second time: plain Python, slow, whole files, nothing of ours."""

from __future__ import annotations

import csv
import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CATEGORIES = {
    "badham2017deficits": "categorization",
    "collsiöö2023MCPL": "categorization",
    "cox2017information": "memory",
    "enkavi2019digitspan": "memory",
    "enkavi2019gonogo": "cognitive-control",
    "enkavi2019recentprobes": "memory",
    "frey2017risk": "risky-choice",
    "hebart2023things": "categorization",
    "jansen2021dunningkruger": "psycholinguistics",
    "peterson2021using": "risky-choice",
    "ruggeri2022globalizability": "intertemporal-choice",
    "steingroever2015data": "reinforcement-learning",
    "wilson2014humans": "reinforcement-learning",
    "wulff2018sampling": "risky-choice",
    "zhu2020bayesian": "reasoning",
}
MARK = re.compile(r"<<((?:(?!<<|>>).)*)>>", re.DOTALL)
RUN_ON = re.compile(r"\n\d+,You are a helpful mental health counselling assistant.*", re.DOTALL)
_SIDES = ("input", "response", "rejected_response")
GONE = {"[deleted]", "[removed]"}


@dataclass(frozen=True)
class Outcome:
    """What became of one row (or comment): a record, or a reason."""

    source: str
    file: str
    row: int
    item: int = 0
    record: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def fold(text: str) -> str:
    """Give the form in which texts are compared."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def words(text: str) -> int:
    """Count words as Python splits them."""
    return len(text.split())


def read_native(root: Path, reddit: Path) -> Iterator[Outcome]:
    """Read the seven sources below a folder laid out as the hub, in the order of the catalogue."""
    yield from _human_like(root / "HumanLLMs/Human-Like-DPO-Dataset/data.json")
    yield from _counselling(root / "Amod/mental_health_counseling_conversations")
    yield from _psych(root / "marcelbinz/Psych-101/prompts_training.jsonl")
    yield from _mentalchat(root / "ShenLab/MentalChat16K")
    for path in sorted(reddit.rglob("*")):
        if path.suffix in (".csv", ".json"):
            yield from _reddit(path, path.relative_to(reddit).as_posix())
    yield from _trace(root / "PomboLabs/TRACE")
    yield from _depression(root / "hugginglearners/reddit-depression-cleaned")


def merged(outcomes: list[Outcome]) -> tuple[list[dict[str, Any]], list[Outcome]]:
    """Drop duplicates: the records that stay, and all outcomes, each duplicate with its reason.

    A duplicate's reason is `duplicate N`, where N is the place of its twin among the records.
    """
    seen: dict[tuple[str, ...], int] = {}
    records: list[dict[str, Any]] = []
    final: list[Outcome] = []
    for outcome in outcomes:
        record = outcome.record
        key = tuple(fold(record.get(side, "")) for side in _SIDES)
        if record and key in seen:
            reason = f"duplicate {seen[key]}"
            final.append(
                Outcome(outcome.source, outcome.file, outcome.row, outcome.item, reason=reason)
            )
            continue
        if record:
            seen[key] = len(records)
            records.append(record)
        final.append(outcome)
    return records, final


def accounts(outcomes: list[Outcome], records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Count by source: read, kept, dropped by reason, duplicates by the source of the twin."""
    found: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        counts = found.setdefault(
            outcome.source, {"read": 0, "kept": 0, "dropped": Counter(), "duplicates": Counter()}
        )
        counts["read"] += 1
        if outcome.record:
            counts["kept"] += 1
        elif outcome.reason.startswith("duplicate "):
            counts["duplicates"][records[int(outcome.reason.split()[1])]["source"]] += 1
        else:
            counts["dropped"][outcome.reason] += 1
    return found


def _record(
    source: str, type_: str, tags: list[str], input_: str, response: str, rejected: str = ""
) -> dict[str, Any]:
    return {
        "input": input_,
        "response": response,
        "rejected_response": rejected if rejected.strip() else "",
        "source": source,
        "type": type_,
        "tags": tags,
    }


def _human_like(path: Path) -> Iterator[Outcome]:
    name, tags = "Human-Like-DPO-Dataset", ["human-like", "conversation"]
    for row, raw in enumerate(json.loads(path.read_text("utf-8"))):
        if not raw["prompt"].strip() or not raw["chosen"].strip():
            blank = "blank-input" if not raw["prompt"].strip() else "blank-response"
            yield Outcome(name, path.name, row, reason=blank)
            continue
        record = _record(name, "instruction", tags, raw["prompt"], raw["chosen"], raw["rejected"])
        yield Outcome(name, path.name, row, record=record)


def _lines(path: Path) -> list[Any]:
    with path.open(encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def _counselling(folder: Path) -> Iterator[Outcome]:
    name, tags = folder.name, ["counseling", "therapy", "mental-health"]
    path = folder / "combined_dataset.json"
    for row, raw in enumerate(_lines(path)):
        reason = ""
        if not (raw["Response"] or "").strip():
            reason = "blank-response"
        elif "data:image/" in raw["Response"]:
            reason = "embedded-data"
        if reason:
            yield Outcome(name, path.name, row, reason=reason)
        else:
            record = _record(name, "counseling", tags, raw["Context"], raw["Response"])
            yield Outcome(name, path.name, row, record=record)


def _psych(path: Path) -> Iterator[Outcome]:
    for row, raw in enumerate(_lines(path)):
        text, found = raw["text"], None
        for mark in MARK.finditer(text):
            before = text[: mark.start()].replace("<<", "").replace(">>", "")
            if mark[1].strip() and (found is None or len(before) <= 8000):
                found = before, mark[1].strip()
        if found is None:
            yield Outcome("Psych-101", path.name, row, reason="no-mark")
            continue
        category = CATEGORIES.get(raw["experiment"].split("/")[0])
        tags = ["psychology", "experiment:" + raw["experiment"], *([category] if category else [])]
        record = _record("Psych-101", "psychology", tags, *found)
        yield Outcome("Psych-101", path.name, row, record=record)


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _mentalchat(folder: Path) -> Iterator[Outcome]:
    for file, half in (
        ("Interview_Data_6K.csv", "interview"),
        ("Synthetic_Data_10K.csv", "synthetic"),
    ):
        tags = ["counseling", "therapy", "mental-health", half]
        for row, raw in enumerate(_table(folder / file)):
            answer = RUN_ON.sub("", raw["output"])
            blank = [
                side
                for side, text in (("input", raw["input"]), ("response", answer))
                if not text.strip()
            ]
            if blank:
                yield Outcome("MentalChat16K", file, row, reason=f"blank-{blank[0]}")
                continue
            record = _record("MentalChat16K", "counseling", tags, raw["input"], answer)
            yield Outcome("MentalChat16K", file, row, record=record)


def _trace(folder: Path) -> Iterator[Outcome]:
    file = "data/splits/train.jsonl"
    for row, raw in enumerate(_lines(folder / file)):
        said = {message["role"]: message["content"] for message in raw["messages"]}
        gold = raw["meta"]["gold_labels"]
        tags = ["clinical", "applied-behavior-analysis", raw["meta"]["task_type"]]
        tags += [gold[name] for name in ("method", "pattern_class") if gold.get(name)]
        record = _record("TRACE", "clinical", tags, said["user"], said["assistant"])
        yield Outcome("TRACE", file, row, record=record)


def _depression(folder: Path) -> Iterator[Outcome]:
    name, file = "Depression-Reddit-Cleaned", "depression_dataset_reddit_cleaned.csv"
    tags = {"1": ["reddit", "depression"], "0": ["not-depression"]}
    for row, raw in enumerate(_table(folder / file)):
        record = _record(name, "classification", tags[raw["is_depression"]], raw["clean_text"], "")
        yield Outcome(name, file, row, record=record)


@dataclass
class _Comment:
    row: int
    item: int
    text: str
    label: str
    votes: int
    tags: list[str]


def _comments(path: Path) -> Iterator[tuple[str, _Comment | None, int]]:
    """Yield (post, comment, row) for each comment of either layout; None for a post without."""
    if path.suffix == ".csv":
        for row, raw in enumerate(_table(path)):
            post = "\n\n".join(
                part for part in (raw["post_title"], raw["post_text"]) if part.strip()
            )
            tags = [tag for tag in (raw["subreddit"], raw["support_type"]) if tag]
            votes = int(raw["comment_score"] or 0)
            yield post, _Comment(row, 0, raw["comment_text"], raw["label"], votes, tags), row
        return
    for row, raw in enumerate(json.loads(path.read_text("utf-8"))):
        tags = [raw["subreddit"]] if raw.get("subreddit") else []
        post = "\n\n".join(part for part in (raw.get("title", ""), raw["post"]) if part.strip())
        for item, comment in enumerate(raw["comments"]):
            body = comment if isinstance(comment, str) else comment["body"]
            votes = 0 if isinstance(comment, str) else comment.get("score", 0)
            yield post, _Comment(row, item, body, "", votes, tags), row
        if not raw["comments"]:
            yield post, None, row


def _reddit(path: Path, file: str) -> Iterator[Outcome]:
    posts: dict[str, list[_Comment]] = {}
    for post, comment, row in _comments(path):
        if comment is None:
            yield Outcome("RedditESS", file, row, reason="no-comment")
        else:
            posts.setdefault(html.unescape(post), []).append(comment)
    for post, comments in posts.items():
        yield from _thread(post, comments, file)


def _thread(post: str, comments: list[_Comment], file: str) -> Iterator[Outcome]:
    usable = [
        comment for comment in comments if comment.text.strip() and comment.text.strip() not in GONE
    ]
    good = [comment for comment in usable if comment.label == "1"]
    bad = [comment for comment in usable if comment.label == "0"]
    labelled = bool(good or bad)
    if not labelled and usable:
        good = [max(usable, key=lambda comment: comment.votes)]
    for comment in comments:
        reason = ""
        if comment.text.strip() in GONE:
            reason = "deleted"
        elif not comment.text.strip():
            reason = "blank-response"
        elif not labelled and comment is not good[0]:
            reason = "not-chosen"
        elif labelled and comment.label == "0":
            # The k-th effective comment takes the k-th other one.
            reason = "used-as-rejected" if bad.index(comment) < len(good) else "not-effective"
        if reason:
            yield Outcome("RedditESS", file, comment.row, comment.item, reason=reason)
            continue
        place = good.index(comment)
        rejected = bad[place].text if place < len(bad) else ""
        tags = ["reddit", "social-support", "peer-support", *comment.tags]
        texts = (post, html.unescape(comment.text), html.unescape(rejected))
        record = _record("RedditESS", "social_support", list(dict.fromkeys(tags)), *texts)
        yield Outcome("RedditESS", file, comment.row, comment.item, record=record)
