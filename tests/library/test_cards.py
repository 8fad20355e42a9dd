"""Cards as the hub's client and `datasets` read them, and the licences beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from corpora import merge_own, merge_sample, own_rows, read_json
from hub_uploads import problems_of
from huggingface_hub import DatasetCard, DatasetCardData

from mindcorpus.formats.registry import FORMATS
from mindcorpus.storage.card_head import card_head
from mindcorpus.storage.cards import corpus_card, format_card
from mindcorpus.storage.licences import licence_head

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)


def source(name: str, licence: str, url: str = "", **more: Any) -> dict[str, Any]:
    """What a manifest says of a source."""
    said = {"id": licence, "url": url, "terms": "Keep it.", "commercial": "yes"}
    return {"name": name, "origin": "owner/data", "kept": 1, "licence": said, **more}


def head_of(**manifest: Any) -> dict[str, Any]:
    """Read back what a head says of a manifest."""
    first, *lines, last = card_head({"rows": 1, "configs": [], **manifest}, "A title: «of» it")
    assert first == last == "---"
    said = yaml.safe_load("\n".join(lines))
    assert isinstance(said, dict)
    return said


def test_the_cards_of_the_sample_are_the_hub_s(sample: Made) -> None:
    folders = [sample.data_dir / "artifacts" / kind for kind in ("corpus", *sample.prepared)]
    for folder in folders:
        text = (folder / "README.md").read_text("utf-8")
        card = DatasetCard(text)
        assert isinstance(card.data, DatasetCardData)
        assert card.data.language == ["en"]
        said = yaml.safe_load(card.data.to_yaml())
        assert (said["license"], said["license_link"]) == ("other", "LICENSE.md")
        assert card.data.size_categories == ["n<1K"]
        assert card.data.task_categories == ["text-generation"]
        assert problems_of(text) == []
        assert (folder / "LICENSE.md").is_file()


def test_datasets_loads_the_folder_of_the_corpus_and_nothing_but_its_records(
    sample: Made, tmp_path: Path
) -> None:
    from datasets import load_dataset

    folder = sample.data_dir / "artifacts/corpus"
    loaded = load_dataset(str(folder.resolve()), cache_dir=str(tmp_path))
    assert list(loaded) == ["train"]
    rows = loaded["train"]
    assert rows.column_names[:6] == list(read_json(sample.merged.json_path)[0])
    assert [{name: row[name] for name in rows.column_names[:6]} for row in rows] == read_json(
        sample.merged.json_path
    )


def test_a_licence_that_all_share_is_named_as_the_hub_does() -> None:
    for name, word in (
        ("MIT", "mit"),
        ("CC-BY-NC-4.0", "cc-by-nc-4.0"),
        ("ODC-By-1.0", "odc-by"),
        ("GPL-3.0-only", "gpl-3.0"),
        ("LicenseRef-Llama-3-Community", "llama3"),
    ):
        assert licence_head([source("a", name), source("b", name)]) == {"license": word}


def test_a_licence_that_the_hub_does_not_know_is_named_and_linked() -> None:
    assert licence_head([source("a", "LicenseRef-Own", "https://example.org/terms")]) == {
        "license": "other",
        "license_name": "own",
        "license_link": "https://example.org/terms",
    }
    assert licence_head([source("a", "LicenseRef-Own")])["license_link"] == "LICENSE.md"
    mixed = licence_head([source("a", "MIT"), source("b", "Apache-2.0")])
    assert mixed["license_name"] == "by-source"


@pytest.mark.parametrize(
    ("rows", "word"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**9, "n>1B")],
)
def test_the_size_is_the_hub_s_word_for_it(rows: int, word: str) -> None:
    assert head_of(rows=rows, sources=[source("a", "MIT")])["size_categories"] == [word]


def test_the_head_says_what_the_manifest_knows_and_no_more() -> None:
    configs = [
        {"config_name": "default", "data_files": [{"split": "train", "path": "train/*.arrow"}]},
        {"config_name": "pairs", "data_files": [{"split": "train", "path": "yes"}]},
    ]
    said = head_of(
        sources=[
            source("a", "MIT", language=["pt-BR", "no"]),
            source("b", "MIT", language=["en"], origin="https://example.org/a.csv"),
            source("c", "Apache-2.0", language=["de"], kept=0),
        ],
        configs=configs,
    )
    assert said["configs"] == configs
    assert said["language"] == ["en", "no", "pt-BR"]
    assert said["license"] == "mit"
    assert said["source_datasets"] == ["owner/data"]
    assert said["pretty_name"] == "A title: «of» it"
    assert "language" not in head_of(sources=[source("a", "MIT")])


def test_a_format_s_card_shows_the_lines_that_load_it(sample: Made) -> None:
    manifest = sample.prepared["openai"].manifest
    snippet = 'from datasets import load_dataset\nload_dataset("…")\n'
    card = format_card({**manifest, "snippet": snippet})
    assert f"\n## How to load it\n\n```\n{snippet}```\n" in card
    assert "How to load it" not in format_card({**manifest, "snippet": ""})


def test_a_card_says_of_a_file_of_all_parts_which_folder_is_split(sample: Made) -> None:
    whole, split = (
        (each.manifest, format_card(each.manifest)) for each in sample.prepared.values()
    )
    assert whole[0]["divided"] == {"format": "chat", "path": "mental_health_chat"}
    assert "**Not split**: the records of train and validation are in it together." in whole[1]
    assert "`mental_health_chat/` (`mindcorpus prepare chat`) has the same lines, split" in whole[1]
    assert FORMATS["chat"].path == "mental_health_chat"
    assert split[0]["divided"] is None
    assert "Not split" not in split[1]
    assert "Not split" in format_card({**split[0], "split": None})


def test_a_card_tells_how_long_records_are(sample: Made) -> None:
    manifest = sample.prepared["huggingface"].manifest
    tokens = manifest["tokens"]
    card = format_card(manifest)
    (told,) = (part for part in card.split("\n## ") if part.startswith("Lengths in tokens, an est"))
    rows = [line.strip("| ").split(" | ") for line in told.splitlines() if line.startswith("| ")]
    assert rows[0] == ["source", "records", "mean", "p50", "p95", "longest"]
    assert [row[0] for row in rows[2:]] == [*tokens["lengths"]]
    for name, *numbers in rows[2:]:
        held = tokens["lengths"][name]
        keys = ("rows", "mean", "p50", "p95", "max")
        assert [int(each.replace(",", "")) for each in numbers] == [
            round(held[key]) for key in keys
        ]
    exact = {**tokens, "exact": True, "tokenizer": "o200k"}
    sections = [{**manifest, "name": name, "tokens": exact} for name in ("sft", "dpo")]
    both = format_card({**manifest, "sections": sections})
    for name in ("sft", "dpo"):
        assert f"\n## Lengths of {name} in tokens, counted by o200k\n" in both
    assert "Lengths" not in format_card({**manifest, "tokens": {**tokens, "lengths": {}}})


def test_the_licences_are_listed_with_what_they_let_others_have(tmp_path: Path) -> None:
    result = merge_sample(tmp_path, sources=("RedditESS", "TRACE"))
    folder = tmp_path / "artifacts/corpus"
    listed = (folder / "LICENSE.md").read_text("utf-8")
    assert (
        "## RedditESS\n\n- Licence: LicenseRef-None, <https://arxiv.org/abs/2503.21888>" in listed
    )
    assert "- Copies to others: forbidden\n- Changes: unknown" in listed
    card = (folder / "README.md").read_text("utf-8")
    (trace,) = (line for line in card.splitlines() if line.startswith("| TRACE | CC"))
    assert "| not allowed | allowed | allowed |" in trace
    licences = {each["name"]: each["licence"] for each in result.manifest["sources"]}
    assert licences["TRACE"]["redistribution"] == licences["TRACE"]["modification"] == "allowed"


def test_a_corpus_of_an_earlier_release_has_a_card_still(tmp_path: Path) -> None:
    entry = own_rows(tmp_path / "own", "mine", [{"q": "Hello?", "a": "Hello."}])
    manifest = json.loads(merge_own(tmp_path / "data", entry).manifest_path.read_text("utf-8"))
    for each in manifest["sources"]:
        del each["language"], each["licence"]["redistribution"], each["licence"]["modification"]
    del manifest["configs"]
    card = corpus_card(manifest)
    assert "| mine | CC0-1.0 | allowed | unknown | unknown | None. |" in card
    assert problems_of(card) == []
