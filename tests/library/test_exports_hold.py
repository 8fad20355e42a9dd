"""What somebody tried to break: selections, splits, licences and results keep apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from chats import chat, lines, merge_chats
from corpora import merge_own, own_rows
from own_layouts import entry, merge_entries, write_rows

from mindcorpus import rollback
from mindcorpus.errors import ExistsError, LicenceError, SettingsError
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import PrepareResult, prepare
from mindcorpus.progress import Progress
from mindcorpus.pushing.push import push
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

PAIRS = 'adapter = "preference"\n[source.options]\nprompt = "p"\nchosen = "c"\nrejected = "r"\n'


def make(folder: Path, *names: str, workers: int = 1, **request: Any) -> dict[str, PrepareResult]:
    return prepare(
        PrepareRequest(formats=names, **request), Settings(data_dir=folder, workers=workers)
    )


def merge(folder: Path, name: str, count: int = 40) -> None:
    rows = [{"q": f"{name} ¿{n}?", "a": f"yes {n} 😀"} for n in range(count)]
    merge_own(folder, own_rows(folder / "own", name, rows), force=True)


def outdated(folder: Path) -> dict[str, str | None]:
    status = Store(folder).status()
    return {
        name: each["outdated_by"]
        for name, each in status.items()
        if each.get("rows") and "outdated_by" in each
    }


# Selections


@pytest.mark.parametrize("over", ["drop", "cut-turns"])
def test_formats_that_count_differently_choose_as_each_does_alone(
    over: str, tmp_path: Path
) -> None:
    rows = [
        chat(
            *(
                turn
                for at in range(1 + n % 4)
                for turn in (("user", f"q{n}.{at} " + "so " * n), ("assistant", "a " * 9))
            )
        )
        for n in range(30)
    ]
    asked: dict[str, Any] = {
        "max_tokens": 60,
        "over_length": over,
        "tokenizer": "o200k",
        "force": True,
    }
    for name in ("together", "chat", "sharegpt", "gemini"):
        merge_chats(tmp_path / name, rows)
    both = make(tmp_path / "together", "chat", "sharegpt", "gemini", **asked)
    for name in ("chat", "sharegpt", "gemini"):
        (alone,) = make(tmp_path / name, name, **asked).values()
        assert alone.manifest == both[name].manifest
        assert alone.manifest["tokens"]["lengths"]["all"]["max"] <= 60
    assert both["sharegpt"].rows > both["chat"].rows or over == "cut-turns"


def test_a_mixture_of_a_source_without_pairs_keeps_the_pairs_of_others(tmp_path: Path) -> None:
    write_rows(tmp_path / "two.jsonl", [{"p": f"q{n}", "c": f"y{n}", "r": "no"} for n in range(20)])
    write_rows(
        tmp_path / "one.jsonl", [{"question": f"? {n}", "answer": f"! {n}"} for n in range(20)]
    )
    merge_entries(tmp_path, entry("two", "two.jsonl", PAIRS), entry("one", "one.jsonl"))
    folder = tmp_path / "out"
    made = make(folder, "llama-factory", mix={"one": 2.0})["llama-factory"]
    assert [(each["name"], each["rows"]) for each in made.manifest["sections"]] == [
        ("sft", 40 + made.repeats["one"]),
        ("dpo", 20),
    ]
    # Where no pair is left, that is said.
    none = make(folder, "llama-factory", force=True, exclude=("two",))["llama-factory"]
    assert none.manifest["sections"] == []
    assert any("It holds no dpo: no preference pair is left" in text for text in none.warnings)


@pytest.mark.parametrize("policy", ["own", "replace", "none"])
def test_pairs_that_their_instructions_tell_apart_are_not_made_equal(
    policy: str, tmp_path: Path
) -> None:
    def side(instruction: str, answer: str) -> list[dict[str, str]]:
        said = [("system", instruction), ("user", "¿Qué?"), ("assistant", answer)]
        return [{"role": role, "content": text} for role, text in said]

    rows: list[dict[str, Any]] = [
        {"c": side("Be kind.", "Yes."), "r": side("Be rude.", "Yes.")},
        {"c": side("Be kind.", "Yes 1."), "r": side("Be rude.", "No 1.")},
        {"c": side("Be kind.", "Yes 2."), "r": side("Be kind.", "No 2.")},
    ]
    write_rows(tmp_path / "pairs.jsonl", rows)
    mapping = 'adapter = "preference"\n[source.options]\nchosen = "c"\nrejected = "r"\n'
    merge_entries(tmp_path, entry("pairs", "pairs.jsonl", mapping))
    made = make(tmp_path / "out", "trl-dpo", system_policy=policy)["trl-dpo"]
    (pair,) = (row for path in made.path.glob("*.jsonl") for row in lines(path))
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"]) == ("Yes 2.", "No 2.")
    assert [turn["role"] for turn in pair["prompt"]][-1:] == ["user"]
    reason = "two-prompts" if policy == "own" else "two-instructions"
    assert made.skipped == {f"cannot-carry-{reason}": 2}


# Splits


def test_with_a_corpus_its_split_comes_back(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    make(tmp_path, "chat", seed=7)
    first = Store(tmp_path).manifest("split")
    merge(tmp_path, "two")
    make(tmp_path, "chat", seed=8)
    rollback(tmp_path)
    assert Store(tmp_path).manifest("split") == first
    rollback(tmp_path, kind="chat")
    assert verify(tmp_path) == []
    assert make(tmp_path, "openai")["openai"].manifest["split_id"] == first["id"]


def test_formats_of_two_splits_are_not_both_up_to_date(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    make(tmp_path, "chat")
    make(tmp_path, "sharegpt", seed=7, force=True)
    merge(tmp_path, "two")
    make(tmp_path, "openai")
    for build in Store(tmp_path).builds.kept("split"):
        Store(tmp_path).builds.give_up(build.id)
    Store(tmp_path).sweep()
    rollback(tmp_path)
    assert outdated(tmp_path) == {
        "openai": "corpus-changed",
        "chat": "split-changed",
        "sharegpt": "split-changed",
    }
    make(tmp_path, "openai", "chat", "sharegpt")
    assert verify(tmp_path) == []


def test_a_prepare_of_a_corpus_that_is_gone_leaves_the_split_of_the_new_one(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    began = False

    def replaced(progress: Progress) -> None:
        nonlocal began
        if progress.stage == "write" and not began:
            began = True
            merge(tmp_path, "two")
            make(tmp_path, "chat", seed=9, test_share=0.1)

    request = PrepareRequest(format="openai")
    prepare(request, Settings(data_dir=tmp_path, workers=1), replaced)
    assert began
    split = Store(tmp_path).manifest("split")
    assert split["settings"]["seed"] == 9
    assert outdated(tmp_path)["chat"] is None
    assert outdated(tmp_path)["openai"] == "corpus-changed"


def test_two_at_once_do_not_split_against_each_other(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    began = False

    def other(progress: Progress) -> None:
        nonlocal began
        if progress.stage == "write" and not began:
            began = True
            make(tmp_path, "chat", seed=6)

    request = PrepareRequest(format="openai", seed=5)
    with pytest.raises(ExistsError):
        prepare(request, Settings(data_dir=tmp_path, workers=1), other)
    assert Store(tmp_path).manifest("split")["settings"]["seed"] == 6
    assert not Store(tmp_path).exists("openai")
    assert verify(tmp_path) == []


def test_a_damaged_split_is_decided_again_as_it_was(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    make(tmp_path, "chat", seed=7, validation_share=0.4)
    id_ = Store(tmp_path).manifest("split")["id"]
    (tmp_path / "merged_mental_health_dataset.split.parquet").write_bytes(b"PAR1")
    made = make(tmp_path, "mlx")["mlx"]
    assert made.manifest["split_id"] == id_
    assert verify(tmp_path) == []
    # And a manifest that is none keeps nobody from seeing the rest.
    manifest = tmp_path / "artifacts/split/manifest.json"
    manifest.write_text("{}", "utf-8")
    assert outdated(tmp_path) == {"chat": None, "mlx": None}


@pytest.mark.parametrize(
    "shares", [{"validation_share": 0.9999}, {"validation_share": 0.9, "test_share": 0.0999}]
)
def test_a_split_without_training_is_refused(shares: dict[str, Any], tmp_path: Path) -> None:
    merge(tmp_path, "one")
    with pytest.raises(SettingsError, match="no record to train on"):
        make(tmp_path, "chat", **shares)
    assert not Store(tmp_path).exists("split")


def test_what_is_repeated_is_why_a_share_is_off(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    split = make(tmp_path, "chat", mix={"one": 3.0})["chat"].split
    assert split is not None
    assert split["note"] == (
        "Validation has 7.7% of the rows, not 20%: 64 of them are there again, and these train."
    )


# What is there


def test_a_result_stays_what_it_was(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    old = make(tmp_path, "chat")["chat"]
    merge(tmp_path, "two", 10)
    new = make(tmp_path, "chat")["chat"]
    assert (len(old.to_pandas()), len(new.to_pandas())) == (40, 10)


def test_an_edited_file_of_what_is_up_to_date_is_told(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    made = make(tmp_path, "chat")["chat"]
    with (made.path / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write("{}\n")
    with pytest.raises(ExistsError, match=r"was changed since it was made: train\.jsonl"):
        make(tmp_path, "chat")


def test_a_licence_counts_in_whichever_section_its_rows_are(tmp_path: Path) -> None:
    licence = '[source.licence]\nterms = "None."\ncommercial = "yes"\n'
    allowed = f'{licence}id = "CC0-1.0"\nredistribution = "allowed"\n'
    forbidden = f'{licence}id = "LicenseRef-Mine"\nredistribution = "forbidden"\n'
    texts = []
    for name, terms, other in (("open", allowed, "no"), ("closed", forbidden, "never")):
        write_rows(
            tmp_path / f"{name}.jsonl",
            [{"p": f"q{n}", "c": f"y{n}", "r": f"{other}{n}"} for n in range(10)],
        )
        text = entry(name, f"{name}.jsonl", PAIRS)
        texts.append(text[: text.index("[source.licence]")] + terms)
    merge_entries(tmp_path, *texts)
    folder = tmp_path / "out"
    made = make(folder, "llama-factory")["llama-factory"]
    kept = {each["name"]: each["kept"] for each in made.manifest["sources"]}
    assert kept == {"open": 10, "closed": 0}  # of the answers: they are the same
    assert made.manifest["sections"][1]["rows"] == 20
    assert "## closed" in (made.path / "LICENSE.md").read_text("utf-8")
    with pytest.raises(LicenceError, match="closed"):
        push(str(tmp_path / "public"), "llama-factory", Settings(data_dir=folder), public=True)
    assert not (tmp_path / "public").exists()


def test_only_what_is_named_is_made_whatever_the_setting_adds(tmp_path: Path) -> None:
    merge(tmp_path, "one")
    settings = Settings(data_dir=tmp_path, workers=1, formats=("chat",))
    made = prepare(PrepareRequest(formats=("openai", "huggingface")), settings)
    assert list(made) == ["openai", "huggingface"]
    assert not Store(tmp_path).exists("chat")


@pytest.mark.parametrize("asked", [{"caps": {"one": 100}}, {"mix": {"one": 0.25}}])
@pytest.mark.parametrize("seed", [1, 42])
def test_a_sample_is_of_all_parts(asked: dict[str, Any], seed: int, tmp_path: Path) -> None:
    merge(tmp_path, "one", 400)
    split = make(tmp_path, "chat", seed=seed, test_share=0.2, **asked)["chat"].split
    assert split is not None
    rows = {name: part["rows"] for name, part in split["parts"].items()}
    assert sum(rows.values()) == 100
    # 20 expected in each, with a standard deviation of 3.5.
    assert all(8 <= rows[name] <= 34 for name in ("validation", "test")), rows
