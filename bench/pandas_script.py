"""The script one would write today with pandas and datasets: the seven files in, all formats out.

One process and everything in memory, as most such scripts are; ordinary calls, nothing slowed down
and no tricks: `python -m bench.pandas_script IN OUT`.
"""

from __future__ import annotations

import html
import json
from pathlib import Path

import pandas as pd
from datasets import Dataset, DatasetDict

from bench.contestant import in_and_out

SYSTEM_PROMPT = "You are a helpful mental health assistant."
INSTRUCTION = "Respond to the following message in a helpful, supportive manner:"
COLUMNS = ["input", "response", "rejected_response", "source", "type", "tags"]


def as_record(frame: pd.DataFrame, source: str, kind: str, tags: list[str]) -> pd.DataFrame:
    """Add what a frame of one source lacks of the normalised record."""
    frame["source"] = source
    frame["type"] = kind
    if "rejected_response" not in frame:
        frame["rejected_response"] = ""
    if "tags" not in frame:
        frame["tags"] = [tags] * len(frame)
    return frame[COLUMNS]


def read_human_like(hub: Path) -> pd.DataFrame:
    """Read the preference pairs."""
    frame = pd.read_json(hub / "HumanLLMs/Human-Like-DPO-Dataset/data.json")
    frame = frame.rename(
        columns={"prompt": "input", "chosen": "response", "rejected": "rejected_response"}
    )
    return as_record(frame, "Human-Like-DPO-Dataset", "instruction", ["human-like", "conversation"])


def read_counselling(hub: Path) -> pd.DataFrame:
    """Read the counselling questions and answers."""
    path = hub / "Amod/mental_health_counseling_conversations/combined_dataset.json"
    frame = pd.read_json(path, lines=True)
    frame = frame.rename(columns={"Context": "input", "Response": "response"})
    tags = ["counseling", "therapy", "mental-health"]
    return as_record(frame, "mental_health_counseling_conversations", "counseling", tags)


def read_psych(hub: Path) -> pd.DataFrame:
    """Read the sessions: the text before the last mark, marks removed, and what stood in it."""
    frame = pd.read_json(hub / "marcelbinz/Psych-101/prompts_training.jsonl", lines=True)
    parts = frame["text"].str.rpartition("<<")
    frame["input"] = parts[0].str.replace("<<", "", regex=False).str.replace(">>", "", regex=False)
    frame["response"] = parts[2].str.partition(">>")[0].str.strip()
    frame["tags"] = [["psychology", f"experiment:{name}"] for name in frame["experiment"]]
    return as_record(frame, "Psych-101", "psychology", [])


def read_chats(hub: Path) -> pd.DataFrame:
    """Read both halves of MentalChat16K."""
    frames = []
    for name, half in (("Interview_Data_6K", "interview"), ("Synthetic_Data_10K", "synthetic")):
        frame = pd.read_csv(hub / f"ShenLab/MentalChat16K/{name}.csv", keep_default_na=False)
        frame = frame[["input", "output"]].rename(columns={"output": "response"})
        tags = ["counseling", "therapy", "mental-health", half]
        frames.append(as_record(frame, "MentalChat16K", "counseling", tags))
    return pd.concat(frames, ignore_index=True)


def read_threads(raw: Path) -> pd.DataFrame:
    """Read the comments: each effective one, and a not effective one on the same post."""
    comments = pd.read_csv(raw / "RedditESS/comments.csv", keep_default_na=False)
    comments["post"] = (comments["post_title"] + "\n\n" + comments["post_text"]).map(html.unescape)
    comments["comment"] = comments["comment_text"].map(html.unescape)
    gone = comments["comment"].str.strip().isin(["", "[deleted]", "[removed]"])
    comments = comments[~gone]
    # The nth effective comment on a post gets its nth not effective one.
    comments["turn"] = comments.groupby(["post_id", "label"]).cumcount()
    effective = comments[comments["label"] == 1]
    others = comments.loc[comments["label"] == 0, ["post_id", "turn", "comment"]]
    others = others.rename(columns={"comment": "rejected_response"})
    frame = effective.merge(others, on=["post_id", "turn"], how="left")
    frame["rejected_response"] = frame["rejected_response"].fillna("")
    frame["tags"] = [
        ["reddit", "social-support", "peer-support", subreddit, *([support] if support else [])]
        for subreddit, support in zip(frame["subreddit"], frame["support_type"], strict=True)
    ]
    frame = frame.rename(columns={"post": "input", "comment": "response"})
    return as_record(frame, "RedditESS", "social_support", [])


def read_programmes(hub: Path) -> pd.DataFrame:
    """Read the clinical examples: the user's message and the assistant's."""
    rows = pd.read_json(hub / "PomboLabs/TRACE/data/splits/train.jsonl", lines=True)
    records = []
    for messages, meta in zip(rows["messages"], rows["meta"], strict=True):
        said = {message["role"]: message["content"] for message in messages}
        labels = meta["gold_labels"]
        kind = [labels[name] for name in ("method", "pattern_class") if name in labels]
        records.append(
            {
                "input": said["user"],
                "response": said["assistant"],
                "tags": ["clinical", "applied-behavior-analysis", meta["task_type"], *kind],
            }
        )
    return as_record(pd.DataFrame(records), "TRACE", "clinical", [])


def read_posts(hub: Path) -> pd.DataFrame:
    """Read the labelled posts, which have no response."""
    name = "hugginglearners/reddit-depression-cleaned/depression_dataset_reddit_cleaned.csv"
    frame = pd.read_csv(hub / name, keep_default_na=False)
    frame = frame.rename(columns={"clean_text": "input"})
    frame["response"] = ""
    frame["tags"] = frame["is_depression"].map({1: ["reddit", "depression"], 0: ["not-depression"]})
    return as_record(frame, "Depression-Reddit-Cleaned", "classification", [])


def merge(corpus: Path, out: Path) -> pd.DataFrame:
    """Read, concatenate, drop what is blank or said before, and save as JSON and CSV."""
    hub, raw = corpus / "datasets", corpus / "raw"
    merged = pd.concat(
        [
            read_human_like(hub),
            read_counselling(hub),
            read_psych(hub),
            read_chats(hub),
            read_threads(raw),
            read_programmes(hub),
            read_posts(hub),
        ],
        ignore_index=True,
    )
    return save(merged, out)


def save(merged: pd.DataFrame, out: Path) -> pd.DataFrame:
    """Drop what is blank or said before, and save as JSON and CSV; gives what is left."""
    answered = (merged["response"].str.strip() != "") | (merged["type"] == "classification")
    merged = merged[answered & (merged["input"].str.strip() != "")]
    merged = merged.drop_duplicates(subset=["input", "response"], ignore_index=True)
    name = "merged_mental_health_dataset"
    merged.to_json(out / f"{name}.json", orient="records", force_ascii=False)
    listed = merged.assign(tags=merged["tags"].map(json.dumps))
    listed.to_csv(out / f"{name}.csv", index=False)
    return merged


def prepare_openai(chats: pd.DataFrame, out: Path) -> None:
    """Write one chat of three messages a line."""
    with (out / "mental_health_openai.jsonl").open("w", encoding="utf-8") as file:
        for asked, answer in zip(chats["input"], chats["response"], strict=True):
            chat = {
                "messages": [
                    {"role": "system", "content": SYSTEM_PROMPT},
                    {"role": "user", "content": asked},
                    {"role": "assistant", "content": answer},
                ]
            }
            file.write(json.dumps(chat, ensure_ascii=False) + "\n")


def prepare_huggingface(chats: pd.DataFrame, out: Path) -> None:
    """Write the train and validation splits in Arrow format and a CSV of all rows."""
    folder = out / "mental_health_huggingface"
    frame = chats.rename(columns={"response": "output"})
    frame["instruction"] = INSTRUCTION
    frame = frame[["instruction", "input", "output", "source", "tags"]]
    splits = Dataset.from_pandas(frame, preserve_index=False).train_test_split(0.2, seed=42)
    DatasetDict(train=splits["train"], validation=splits["test"]).save_to_disk(folder)
    frame.assign(tags=frame["tags"].map(json.dumps)).to_csv(folder / "dataset.csv", index=False)


def main() -> None:
    """Run as a program."""
    corpus, out = in_and_out("bench.pandas_script", __doc__)
    merged = merge(corpus, out)
    chats = merged[merged["response"] != ""]
    prepare_openai(chats, out)
    prepare_huggingface(chats, out)


if __name__ == "__main__":
    main()
