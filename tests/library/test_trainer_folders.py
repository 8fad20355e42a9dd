"""Folders for trainers: chats and pairs in files of each part, and the configuration over them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from chats import Row, chat, chat_source, lines
from corpora import digests, merge_own, merge_sample, own_source
from exports import chosen, corpus_of, files_in, rejected, said, traced
from own_layouts import write_rows
from preference_pairs import KINDS, NO_PAIRS, merge_pairs

from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing import runs as preparing_runs
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.settings import Settings
from mindcorpus.verify import verify

FOLDERS = ("llama-factory", "axolotl", "ms-swift")
SAMPLE = Path(__file__).parents[1] / "chat_sample"
_USED = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
#: A chat of each kind.
CHATS: dict[str, Row] = {
    "plain": chat(("user", "q1"), ("assistant", "a1")),
    "turns": chat(
        *(("system", "s"), ("user", "q2"), ("assistant", "a2"), ("user", "¿y?"), ("assistant", "é"))
    ),
    "weights": chat(
        ("user", "q3"),
        {"role": "assistant", "content": "bad", "weight": 0},
        ("user", "!"),
        ("assistant", "good"),
    ),
    "tools": chat(
        ("user", "q4"),
        {"role": "assistant", "content": None, "tool_calls": _USED},
        {"role": "tool", "content": "ok", "tool_call_id": "c"},
        ("assistant", "a4"),
        tools=[{"type": "function", "function": {"name": "f"}}],
    ),
    "names": chat({"role": "user", "content": "q5", "name": "Mia"}, ("assistant", "a5")),
    "uneven-turns": chat(("user", "q6"), ("user", "?"), ("assistant", "a6")),
    "late-system": chat(
        *(("user", "q7"), ("assistant", "a7"), ("system", "s7"), ("user", "b7"), ("assistant", "c"))
    ),
    "developer": chat(("developer", "d"), ("user", "q8"), ("assistant", "a8")),
}
#: What each format leaves out of these, in the order in which it asks.
NOT_CARRIED: dict[str, set[str]] = {
    "chat": set(),
    "axolotl": set(),
    "mlx": {"weights"},
    "ms-swift": {"weights", "names", "developer"},
    "llama-factory": {"weights", "tools", "names", "uneven-turns", "late-system", "developer"},
}


def make(data_dir: Path, *formats: str, workers: int = 1, **request: Any) -> dict[str, Any]:
    asked = PrepareRequest(**{"formats": formats, "force": True, **request})
    return prepare(asked, Settings(data_dir=data_dir, workers=workers))


def chats_and_pairs(data_dir: Path, workers: int = 1) -> None:
    """Merge chats and pairs of all kinds, as two sources."""
    own = data_dir / "own"
    chats_ = chat_source(own, "chats", [*CHATS.values()])
    write_rows(own / "pairs.jsonl", [*KINDS.values(), *NO_PAIRS.values()])
    columns = "".join(f'{name} = "{name}"\n' for name in ("prompt", "chosen", "rejected"))
    pairs = own_source(own, "pairs", "pairs.jsonl", options=columns, input="", response="")
    text = Path(pairs).read_text("utf-8")
    adapted = text.replace('path = "."\n', 'path = "."\nadapter = "preference"\n', 1)
    Path(pairs).write_text(adapted, "utf-8")
    merge_own(data_dir, chats_, pairs, workers=workers)


def sections(made: PrepareResult) -> dict[str, Any]:
    return {each["name"]: each for each in made.manifest["sections"]}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("folders")
    merge_sample(data_dir, catalogs=(str(SAMPLE / "catalog.toml"),))
    return data_dir


@pytest.mark.parametrize("name", FOLDERS)
def test_every_row_is_traced_to_its_corpus_row_and_says_the_same(name: str, sample: Path) -> None:
    corpus = corpus_of(sample)
    made = make(sample, name)[name]
    sides: dict[str, dict[str, set[int]]] = {"sft": {}, "dpo": {}}
    for line in traced(made, corpus):
        section, value = line.file.split("_")[0], line.value
        sides[section].setdefault(line.part, set()).add(line.corpus_row)
        if section == "sft":
            assert said(value["messages"]) == said(chosen(line.record))
            continue
        if name == "llama-factory":
            both = [[*value["prompt"], value[side]] for side in ("chosen", "rejected")]
        elif name == "axolotl":
            both = [[*value["prompt"], *value[side]] for side in ("chosen", "rejected")]
        else:
            other = {"role": "assistant", "content": value["rejected_response"]}
            both = [value["messages"], [*value["messages"][:-1], other]]
        assert said(both[0]) == said(chosen(line.record))
        assert said(both[1]) == said(rejected(line.record))
    for section, parts in sides.items():
        assert not parts["train"] & parts["validation"]
        assert sections(made)[section]["rows"] == sum(map(len, parts.values()))
    # What learns from pairs holds out what learns from chats does.
    assert not sides["dpo"]["train"] & sides["sft"]["validation"]
    assert not sides["dpo"]["validation"] & sides["sft"]["train"]
    assert verify(sample) == []


def test_keys_are_exact(sample: Path) -> None:
    made = make(sample, *FOLDERS)
    keys = {
        ("llama-factory", "dpo"): ["prompt", "chosen", "rejected"],
        ("axolotl", "dpo"): ["prompt", "chosen", "rejected"],
        ("ms-swift", "dpo"): ["messages", "rejected_response"],
        ("llama-factory", "sft"): ["messages"],
    }
    for (name, section), expected in keys.items():
        for part in ("train", "validation"):
            for value in lines(made[name].path / f"{section}_{part}.jsonl"):
                assert [*value] == expected
    for value in lines(made["llama-factory"].path / "dpo_train.jsonl"):
        assert [*value["chosen"]] == [*value["rejected"]] == ["role", "content"]


def test_what_a_folder_cannot_carry_is_left_out_by_a_reason_that_names_the_thing(
    tmp_path: Path,
) -> None:
    chats_and_pairs(tmp_path)
    corpus = corpus_of(tmp_path)
    made = make(tmp_path, *NOT_CARRIED)
    answers = [record for record in corpus if record["source"] == "chats"]
    for name, what in NOT_CARRIED.items():
        mine = made[name].manifest["sources"][0]
        assert mine["name"] == "chats"
        assert mine["dropped"] == {f"cannot-carry-{each}": 1 for each in what}
        there = {line.corpus_row for line in traced(made[name], corpus) if line.file[:3] != "dpo"}
        kinds = {kind for at, kind in enumerate(CHATS) if at in there}
        assert kinds == {*CHATS} - what
        assert len(answers) == len(CHATS)
    left = {
        "llama-factory": Counter(
            {"two-prompts": 1, "answer-turns": 3, "tools": 1, "names": 1}
            | {"uneven-turns": 2, "late-system": 1}
        ),
        "axolotl": Counter({"two-prompts": 1, "answer-turns": 3, "tools": 1, "names": 1}),
        "ms-swift": Counter({"two-prompts": 1, "answer-turns": 3, "tools": 1, "names": 1}),
    }
    for name, reasons in left.items():
        dpo = sections(made[name])["dpo"]
        found = {f"cannot-carry-{what}": count for what, count in reasons.items()}
        assert dpo["skipped"].pop("no-pair") == len(NO_PAIRS) + len(CHATS)
        assert dpo["skipped"] == found
        assert dpo["rows"] == len(KINDS) - sum(found.values())
    assert verify(tmp_path) == []


def test_without_records_own_instructions_it_does_not_matter_where_they_stood(
    tmp_path: Path,
) -> None:
    chats_and_pairs(tmp_path)
    made = make(tmp_path, "llama-factory", system_policy="none")["llama-factory"]
    assert not {"cannot-carry-late-system", "cannot-carry-developer"} & {*made.skipped}
    for value in lines(made.path / "sft_train.jsonl"):
        assert [each["role"] for each in value["messages"]][::2].count("system") == 0


def test_lines_that_formats_share_are_written_once_and_are_what_each_has_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [CHATS["plain"], CHATS["turns"]]
    found: dict[str, dict[str, str]] = {}
    names = ("chat", "trl-dpo", *FOLDERS, "mlx")
    for folder, workers in (("together", 2), ("apart", 1)):
        monkeypatch.setattr(preparing_runs, "_RUN_BYTES", 1 if workers == 2 else 2**30)
        data_dir = tmp_path / folder
        own = chat_source(data_dir / "own", "chats", rows)
        merge_sample(data_dir, workers, catalogs=(own,))
        if workers == 2:
            made = make(data_dir, *names, workers=2)
        else:
            made = {name: make(data_dir, name)[name] for name in names}
        found[folder] = {
            f"{name} {file}": digest
            for name, each in made.items()
            for file, digest in digests(each.path).items()
        }
        nodes = {
            (name, file): (made[name].path / file).stat().st_ino
            for name in names
            for file in files_in(made[name])
        }
        shared = [
            nodes["chat", "train.jsonl"] == nodes[name, file]
            for name, file in [
                *((name, "sft_train.jsonl") for name in FOLDERS),
                ("mlx", "train.jsonl"),
            ]
        ]
        shared.append(nodes["chat", "validation.jsonl"] == nodes["mlx", "valid.jsonl"])
        shared.append(nodes["trl-dpo", "train.jsonl"] == nodes["axolotl", "dpo_train.jsonl"])
        assert shared == [workers == 2] * len(shared)
        assert verify(data_dir) == []
    assert found["together"] == found["apart"]


def test_a_corpus_without_pairs_makes_a_folder_of_chats_alone(tmp_path: Path) -> None:
    merge_own(tmp_path, chat_source(tmp_path / "own", "chats", [CHATS["plain"]]))
    made = make(tmp_path, *FOLDERS)
    assert files_in(made["llama-factory"]) == {"sft_train.jsonl", "dataset_info.json"}
    assert files_in(made["axolotl"]) == {"sft_train.jsonl", "sft.yml"}
    assert files_in(made["ms-swift"]) == {"sft_train.jsonl"}
    info = json.loads((made["llama-factory"].path / "dataset_info.json").read_text("utf-8"))
    assert [*info] == ["mindcorpus_sft"]
    # A part without a record has no file, which trainers fail at, and none is named.
    config = yaml.safe_load((made["axolotl"].path / "sft.yml").read_text("utf-8"))
    assert "test_datasets" not in config
    assert verify(tmp_path) == []


def test_llama_factory_has_an_entry_for_each_part_of_each(tmp_path: Path) -> None:
    merge_pairs(tmp_path, [{**KINDS["texts"], "prompt": f"q{at}"} for at in range(20)])
    made = make(tmp_path / "out", "llama-factory", test_share=0.2)["llama-factory"]
    info = json.loads((made.path / "dataset_info.json").read_text("utf-8"))
    names = [
        f"mindcorpus_{section}{part}"
        for section in ("sft", "dpo")
        for part in ("", "_validation", "_test")
    ]
    assert [*info] == names
    for name, entry in info.items():
        _, section, part = f"{name}_train".split("_")[:3]
        assert entry["file_name"] == f"{section}_{part}.jsonl"
        assert (made.path / entry["file_name"]).stat().st_size
        assert entry["formatting"] == "sharegpt"
        assert entry.get("ranking", False) is (section == "dpo")
        (first, *_) = lines(made.path / entry["file_name"])
        assert {*entry["columns"].values()} == {*first}
        assert entry["tags"]["role_tag"] in first[entry["columns"]["messages"]][0]
    assert verify(tmp_path / "out") == []


def test_axolotl_has_a_configuration_of_paths_that_are_there(tmp_path: Path) -> None:
    merge_pairs(tmp_path, [{**KINDS["texts"], "prompt": f"q{at}"} for at in range(20)])
    made = make(tmp_path / "out", "axolotl")["axolotl"]
    sft, dpo = (
        yaml.safe_load((made.path / name).read_text("utf-8")) for name in ("sft.yml", "dpo.yml")
    )
    for section, config in (("sft", sft), ("dpo", dpo)):
        for key, part in (("datasets", "train"), ("test_datasets", "validation")):
            (entry,) = config[key]
            assert entry["path"] == f"{section}_{part}.jsonl"
            assert (made.path / entry["path"]).stat().st_size
            assert entry["split"] == "train"
            (first, *_) = lines(made.path / entry["path"])
            fields = {value for name, value in entry.items() if name.startswith("field_")}
            assert fields == {*first}
        assert isinstance(config["learning_rate"], float)
    assert (dpo["rl"], sft.get("rl")) == ("dpo", None)
    assert dpo["datasets"][0]["type"] == "chat_template.default"
    # A turn of weight 0 is not trained on.
    assert sft["datasets"][0]["message_field_training"] == "weight"


def test_mlx_finds_its_files(sample: Path) -> None:
    made = make(sample, "mlx")["mlx"]
    assert files_in(made) == {"train.jsonl", "valid.jsonl"}
    for name in files_in(made):
        for value in lines(made.path / name):
            assert next(iter(value)) == "messages"
            assert {*value} <= {"messages", "tools", "parallel_tool_calls"}
            assert not any(each.get("weight") == 0 for each in value["messages"])
    for line in traced(made, corpus_of(sample)):
        assert said(line.value["messages"]) == said(chosen(line.record))
