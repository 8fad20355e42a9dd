"""A source that loses rows is warned about; one that loses too many fails, unless it is meant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from corpora import NAME, digests, merge_own, merge_sample, own_rows
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from mindcorpus import Settings, merge_all_datasets
from mindcorpus.errors import CatalogError, DataError, SettingsError, TooManyLostError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.distributed import find_files, make_parts
from mindcorpus.merging.distributed_writing import merge_parts
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.progress import Cancellation, silent
from mindcorpus.sources.catalog import ADAPTERS

SECRET = "Nobody must read this žluťoučký 🙂"


def rows(kept: int, *lost: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Make rows that give records, and others that give none, first of all."""
    good = [{"q": f"How is it, {at}? «così» 🙂", "a": f"Well, {at}."} for at in range(kept)]
    return [*map(dict, lost), *good]


BLANK = {"q": SECRET, "a": " "}
NO_ANSWER = {"q": SECRET, "reply": SECRET}
WRONG = {"q": [SECRET], "a": SECRET}


def merged(folder: Path, kept: int, *lost: Mapping[str, Any], **more: Any) -> MergeResult:
    """Merge a source of so many good rows and of those that are lost."""
    entry = {"entry": more.pop("entry")} if "entry" in more else {}
    catalog = own_rows(folder, "mine", rows(kept, *lost))
    if entry:
        text = Path(catalog).read_text("utf-8")
        Path(catalog).write_text(text.replace("type =", f"{entry['entry']}\ntype =", 1), "utf-8")
    return merge_own(folder / "data", catalog, **more)


# Warned about


def test_a_loss_is_told_with_its_first_reasons_and_where_they_are(tmp_path: Path) -> None:
    made = merged(tmp_path, 30, BLANK, NO_ANSWER, NO_ANSWER, NO_ANSWER, WRONG, WRONG)
    reasons = [
        {"reason": "missing-column", "rows": 3, "file": "mine.jsonl", "row": 1, "item": 0},
        {"reason": "wrong-type", "rows": 2, "file": "mine.jsonl", "row": 4, "item": 0},
        {"reason": "blank-response", "rows": 1, "file": "mine.jsonl", "row": 0, "item": 0},
    ]
    lost = {"source": "mine", "rows": 6, "read": 36, "share": 0.166667, "reasons": reasons}
    assert made.statistics["losses"] == made.manifest["statistics"]["losses"] == [lost]
    assert made.warnings[0] == made.manifest["warnings"][0]
    assert made.warnings[0] == (
        "mine lost 6 of its 36 rows (16.7%): 3 × missing-column (first: mine.jsonl, row 1), "
        "2 × wrong-type (first: mine.jsonl, row 4), 1 × blank-response (first: mine.jsonl, row 0). "
        "Look at these rows, mend the files or the catalogue entry, and merge again."
    )
    card = made.json_path.with_name(f"{NAME}.README.md").read_text("utf-8")
    assert f"- {made.warnings[0]}" in card
    for told in (card, made.manifest_path.read_text("utf-8")):
        assert "Nobody" not in told


def test_more_reasons_than_three_are_counted_together(tmp_path: Path) -> None:
    nul = {"q": "NUL \0", "a": "x"}
    made = merged(tmp_path, 30, BLANK, NO_ANSWER, WRONG, nul, {"q": " ", "a": "x"})
    assert len(made.statistics["losses"][0]["reasons"]) == 3
    assert ", 2 for other reasons." in made.warnings[0]


@pytest.mark.parametrize(("lost", "told"), [(4, False), (5, False), (6, True)])
def test_five_percent_is_borne_and_more_is_told(tmp_path: Path, lost: int, told: bool) -> None:
    made = merged(tmp_path, 100 - lost, *[BLANK] * lost)
    assert made.statistics["sources"]["mine"]["dropped"] == {"blank-response": lost}
    assert bool(made.statistics["losses"]) is told
    assert any("lost" in warning for warning in made.warnings) is told


def test_a_setting_and_an_entry_say_from_where_on_it_is_told(tmp_path: Path) -> None:
    catalog = own_rows(tmp_path, "mine", rows(9, BLANK))
    request = MergeRequest(sources=("mine",), catalogs=(catalog,), force=True)
    bears = Settings(data_dir=tmp_path / "data", workers=1, loss_warning=0.1)
    assert merge(request, bears).statistics["losses"] == []
    assert merge(request, bears.model_copy(update={"loss_warning": 0.09})).statistics["losses"]
    made = merged(tmp_path / "own", 9, BLANK, entry="loss_warning = 0.1")
    assert made.statistics["losses"] == []
    with pytest.raises(CatalogError, match="less than or equal to 1"):
        merged(tmp_path / "wrong", 9, entry="loss_limit = 1.5")


def test_duplicates_are_no_loss(tmp_path: Path) -> None:
    catalog = own_rows(tmp_path, "mine", [{"q": "Same?", "a": "Same."}] * 40)
    made = merge_own(tmp_path / "data", catalog)
    assert made.manifest["rows"] == 1
    assert made.statistics["losses"] == []


def test_what_an_adapter_leaves_out_by_design_is_no_loss(tmp_path: Path) -> None:
    # Nearly half of the sample's comments, and one session in 25, give no record.
    made = merge_sample(tmp_path)
    assert made.statistics["losses"] == []
    dropped = made.statistics["sources"]["RedditESS"]["dropped"]
    assert sum(dropped.values()) > 0.4 * made.statistics["sources"]["RedditESS"]["read"]
    assert set(dropped) - {"no-comment"} <= ADAPTERS["threads"].selects
    assert [*made.statistics["sources"]["Psych-101"]["dropped"]] == ["no-mark"]
    assert ADAPTERS["last_mark"].selects == {"no-mark"}
    assert ADAPTERS["columns"].selects == ADAPTERS["messages"].selects == frozenset()


def test_a_post_s_comments_are_lost_where_the_columns_are_not_known(tmp_path: Path) -> None:
    comments = [{"post": f"Help, {at}?", "comment": f"Here, {at}.", "label": 1} for at in range(12)]
    unlike = [{"post": f"And {at}?", "antwort": SECRET} for at in range(4)]
    (tmp_path / "RedditESS").mkdir()
    (tmp_path / "RedditESS/a.json").write_text(json.dumps([*comments, *unlike]), "utf-8")
    request = MergeRequest(sources=("RedditESS",), paths={"RedditESS": str(tmp_path / "RedditESS")})
    made = merge(request, Settings(data_dir=tmp_path / "data", workers=1))
    (lost,) = made.statistics["losses"]
    assert (lost["rows"], lost["read"], lost["reasons"][0]["row"]) == (4, 16, 12)


# Too much


@pytest.mark.parametrize(("lost", "fails"), [(49, False), (50, False), (51, True)])
def test_a_half_is_borne_and_more_fails(tmp_path: Path, lost: int, fails: bool) -> None:
    if not fails:
        assert merged(tmp_path, 100 - lost, *[BLANK] * lost).manifest["rows"] == 100 - lost
        return
    with pytest.raises(TooManyLostError) as caught:
        merged(tmp_path, 100 - lost, *[BLANK] * lost)
    error = caught.value
    assert (error.code, error.exit_code) == ("too-many-lost", 5)
    assert (error.source, error.file, error.row) == ("mine", "mine.jsonl", 0)
    assert error.title.startswith("51 of its 100 rows give no record (51.0%, more than 50%)")
    assert "51 × blank-response (first: mine.jsonl, row 0)" in error.title
    assert "--allow-loss mine=0.51" in error.advice
    assert "Nobody" not in str(error) + error.advice


def test_the_corpus_that_was_there_stays_as_it_was(tmp_path: Path) -> None:
    merged(tmp_path, 30)
    before = digests(tmp_path / "data/artifacts")
    with pytest.raises(TooManyLostError):
        merged(tmp_path, 10, *[NO_ANSWER] * 11, force=True)
    assert digests(tmp_path / "data/artifacts") == before


def test_a_loss_that_is_meant_is_published_and_told(tmp_path: Path) -> None:
    with pytest.raises(TooManyLostError, match="more than 60%"):
        merged(tmp_path, 3, *[BLANK] * 7, allow_loss={"mine": 0.6})
    made = merged(tmp_path, 3, *[BLANK] * 7, allow_loss={"mine": 0.7})
    assert made.manifest["rows"] == 3
    assert made.manifest["settings"]["allow_loss"] == {"mine": 0.7}
    assert made.warnings[0].startswith("mine lost 7 of its 10 rows (70.0%)")
    assert "allow_loss" not in merged(tmp_path / "other", 3).manifest["settings"]


def test_the_share_that_the_remedy_names_will_do(tmp_path: Path) -> None:
    lost = [BLANK] * 17  # of 29: 58.6 %
    with pytest.raises(TooManyLostError) as caught:
        merged(tmp_path, 12, *lost)
    remedy = caught.value.as_dict()["remedy"]["remedies"][0]
    assert remedy == {"kind": "allow-loss", "source": "mine", "share": "0.59"}
    assert merged(tmp_path, 12, *lost, allow_loss={"mine": float(remedy["share"])})


def test_an_entry_and_a_setting_say_how_much_is_too_much(tmp_path: Path) -> None:
    assert merged(tmp_path / "a", 2, *[BLANK] * 8, entry="loss_limit = 0.8").manifest["rows"] == 2
    with pytest.raises(TooManyLostError, match="more than 10%"):
        merged(tmp_path / "b", 8, *[BLANK] * 2, entry="loss_limit = 0.1")
    strict = Settings(data_dir=tmp_path / "data", workers=1, loss_limit=0.0)
    catalog = own_rows(tmp_path, "mine", rows(200, BLANK))
    with pytest.raises(TooManyLostError, match=r"more than 0%"):
        merge(MergeRequest(sources=("mine",), catalogs=(catalog,)), strict)


def test_one_that_fails_can_be_left_out(tmp_path: Path) -> None:
    bad = own_rows(tmp_path, "bad", rows(1, *[BLANK] * 9))
    good = own_rows(tmp_path, "good", rows(4))
    made = merge_own(tmp_path / "data", bad, good, allow_missing=True)
    assert [gone["code"] for gone in made.missing] == ["too-many-lost"]
    assert made.warnings[0].startswith("Published without bad: 9 of its 10 rows give no record")
    assert ".." not in made.warnings[0]


def test_a_source_of_a_name_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'mien'") as caught:
        merged(tmp_path, 3, allow_loss={"mien": 0.7})
    assert caught.value.field == "allow_loss"
    for wrong in (1.1, -0.1, float("nan")):
        with pytest.raises(SettingsError, match="allow_loss"):
            merge_all_datasets(tmp_path, sample=True, allow_loss={"TRACE": wrong})


def test_several_that_lose_too_much_are_told_as_one(tmp_path: Path) -> None:
    files = [own_rows(tmp_path, name, rows(1, *[BLANK] * 4)) for name in ("one", "two")]
    none = own_rows(tmp_path, "none", rows(0, BLANK))
    good = own_rows(tmp_path, "good", rows(4))
    with pytest.raises(TooManyLostError) as caught:
        merge_own(tmp_path / "data", *files, none, good)
    for name in ("one", "two"):
        assert f"{name}: 4 of its 5 rows give no record" in caught.value.title
        assert f"--allow-loss {name}=0.8" in caught.value.advice
    assert "none: none of its 1 rows gives a record" in caught.value.title
    assert "--allow-missing" in caught.value.advice
    meant = {"one": 0.8, "two": 0.8}
    made = merge_own(tmp_path / "data", *files, good, allow_loss=meant)
    assert made.manifest["rows"] == 4  # of these six, two are the same


# Nothing at all


def test_an_entry_that_fits_no_row_says_so_and_what_the_rows_have(tmp_path: Path) -> None:
    with pytest.raises(TooManyLostError, match="none of its 50 rows gives a record") as caught:
        merged(tmp_path, 0, *[NO_ANSWER] * 50)
    assert "there is no 'a'; the row has 'q', 'reply'" in caught.value.title
    assert (caught.value.file, caught.value.row) == ("mine.jsonl", 0)
    # No share would do: there is nothing to publish.
    assert "--allow-loss" not in caught.value.advice
    with pytest.raises(TooManyLostError, match="none of its 50"):
        merged(tmp_path, 0, *[NO_ANSWER] * 50, allow_loss={"mine": 1.0})


def test_a_source_all_of_whose_rows_are_left_out_by_design_gives_nothing_either(
    tmp_path: Path,
) -> None:
    (tmp_path / "p.jsonl").write_text('{"text": "no choice", "experiment": "x"}\n' * 3, "utf-8")
    (tmp_path / "p.toml").write_text(
        '[[source]]\nname = "p"\npath = "p.jsonl"\ntype = "t"\nadapter = "last_mark"\n'
        '[source.options]\ntext = "text"\n'
        '[source.licence]\nid = "CC0-1.0"\nterms = "None."\ncommercial = "yes"\n'
    )
    with pytest.raises(DataError, match="all are left out by design") as caught:
        merge_own(tmp_path / "data", str(tmp_path / "p.toml"))
    assert caught.value.code == "bad-data"


# Any rows, any cut, any way to merge


@runs(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([None, BLANK, NO_ANSWER, WRONG]), min_size=1, max_size=60))
def test_what_is_told_is_what_was_lost(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[dict[str, Any] | None]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    given_ = [row or {"q": f"Ça va, {at}?", "a": "Oui."} for at, row in enumerate(drawn)]
    catalog = own_rows(folder, "mine", given_)
    lost = [at for at, row in enumerate(drawn) if row]
    share = len(lost) / len(drawn)
    if share > 0.5:
        with pytest.raises(TooManyLostError):
            merge_own(folder / "data", catalog)
        return
    losses = merge_own(folder / "data", catalog).statistics["losses"]
    assert bool(losses) is (share > 0.05)
    for each in losses:
        assert (each["rows"], each["read"]) == (len(lost), len(drawn))
        assert sum(reason["rows"] for reason in each["reasons"]) == len(lost)
        words: dict[str, dict[str, Any]] = {
            "blank-response": BLANK,
            "missing-column": NO_ANSWER,
            "wrong-type": WRONG,
        }
        for reason in each["reasons"]:
            kind = words[reason["reason"]]
            assert reason["row"] == drawn.index(kind)
            assert reason["rows"] == drawn.count(kind)


def test_places_are_those_in_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mindcorpus.sources import readers

    monkeypatch.setattr(readers, "SHARD_BYTES", 500)
    catalog = own_rows(tmp_path, "mine", [*rows(60), BLANK, *rows(20), *[WRONG] * 6])
    (lost,) = merge_own(tmp_path / "data", catalog, workers=2).statistics["losses"]
    assert [(each["reason"], each["row"]) for each in lost["reasons"]] == [
        ("wrong-type", 81),
        ("blank-response", 60),
    ]


def in_steps(request: MergeRequest, settings: Settings) -> MergeResult:
    """Merge as a service does."""
    outcomes: dict[str, Any] = {}
    for name in request.sources or ():
        found = find_files(request, name, settings, silent, Cancellation())
        assert found is not None
        make_parts(request, found, found.shards, settings, silent, Cancellation())
        outcomes[name] = found
    return merge_parts(request, outcomes, settings, silent, Cancellation())


def test_a_merge_in_steps_tells_the_same(tmp_path: Path) -> None:
    catalog = own_rows(tmp_path, "mine", rows(30, BLANK, WRONG, WRONG))
    request = MergeRequest(sources=("mine",), catalogs=(catalog,), force=True)
    here = merge(request, Settings(data_dir=tmp_path / "here", workers=1))
    there = Settings(data_dir=tmp_path / "there", workers=1)
    assert in_steps(request, there).manifest == here.manifest
    # Again, of the parts that were kept.
    assert in_steps(request, there).manifest == here.manifest
    before = (tmp_path / f"there/{NAME}.json").read_bytes()
    own_rows(tmp_path, "mine", rows(3, *[BLANK] * 4))
    with pytest.raises(TooManyLostError, match="4 of its 7 rows"):
        in_steps(request, there)
    assert (tmp_path / f"there/{NAME}.json").read_bytes() == before
    meant = request.model_copy(update={"allow_loss": {"mine": 0.58}})
    assert in_steps(meant, there).manifest["rows"] == 3


# The command


def test_the_command_fails_with_5_and_says_what_to_do(tmp_path: Path) -> None:
    own_rows(tmp_path, "mine", rows(4, *[NO_ANSWER] * 6))
    command = ("merge", "--catalog", "mine.toml", "--source", "mine")
    ran = run(*command, cwd=tmp_path)
    assert ran.code == 5
    assert "6 of its 10 rows give no record (60.0%, more than 50%)" in ran.err
    assert "6 × missing-column (first: mine.jsonl, row 0)" in ran.err
    assert "If that is meant, say so with --allow-loss mine=0.6." in ran.err
    assert not (tmp_path / f"datasets/{NAME}.json").exists()
    meant = run(*command, "--allow-loss", "mine=0.6", cwd=tmp_path)
    assert meant.code == 0
    assert "Warnings\n! mine lost 6 of its 10 rows (60.0%)" in meant.out
    assert "Nobody" not in ran.out + ran.err + meant.out + meant.err
    wrong = run(*command, "--allow-loss", "mine=much", cwd=tmp_path)
    assert wrong.code == 2
    assert "'much' is not a share of 1" in wrong.err


def test_changes_are_shown_by_kind(tmp_path: Path) -> None:
    ran = run("merge", "--sample", cwd=tmp_path)
    table = ran.out.partition("\nChanged\n")[2].partition("\n\n")[0]
    assert [line.split() for line in table.splitlines()] == [
        ["Source", "Change", "Records"],
        ["MentalChat16K", "run-on-cut", "1"],
        ["RedditESS", "html-entities-decoded", "6"],
    ]
    card = (tmp_path / f"datasets/{NAME}.README.md").read_text("utf-8")
    assert "## Changed\n\n| source | change | records |" in card
    assert "| RedditESS | html-entities-decoded | 6 |" in card
    assert "\nChanged\n" in run("stats", cwd=tmp_path).out
