"""Warnings stand in the order of the harm of not heeding them, the first with what mends it."""

from __future__ import annotations

from pathlib import Path

from command_line import run
from corpora import NAME, merge_sample, own_rows
from hypothesis import given
from hypothesis import strategies as st

from mindcorpus import prepare_all_formats
from mindcorpus.storage.cards import WARNING
from mindcorpus.warning import CODES, DataWarning, ranked, together

WARNINGS = st.builds(DataWarning, st.sampled_from(CODES), st.text(), st.just("Mend it."))


@given(st.lists(WARNINGS))
def test_the_most_harmful_stand_first_and_equals_as_they_came(given_: list[DataWarning]) -> None:
    told = ranked(given_)
    assert told == [str(each) for code in CODES for each in given_ if each.code == code]


def test_a_warning_without_a_remedy_is_its_text() -> None:
    assert str(DataWarning("licence", "Ask first.")) == "Ask first."
    assert str(DataWarning("rows-lost", "Half is gone.", "Look.")) == "Half is gone. Look."


@given(st.lists(st.lists(st.integers(0, 9).map(str), unique=True), max_size=4))
def test_of_several_lists_each_warning_stands_once_and_no_first_one_behind(
    told: list[list[str]],
) -> None:
    found = together(told)
    assert sorted(found) == sorted({each for one in told for each in one})
    firsts = {one[0] for one in told if one}
    assert set(found[: len(firsts)]) == firsts


def test_one_word_answers_come_before_licences_and_what_always_holds(tmp_path: Path) -> None:
    short = [{"q": f"Is it so, {at}? 🙂", "a": "Yes."} for at in range(900)]
    catalog = own_rows(tmp_path, "short", short)
    merge_sample(tmp_path / "data", catalogs=(catalog,))
    for name, made in prepare_all_formats(tmp_path / "data").items():
        first, second, *others, last = made.warnings
        assert "of the answers are one word, most of them from short" in first
        assert "Prepare with --cap short=" in first
        assert second.startswith("short is ")
        if name == "huggingface":
            # TRACE has system turns, which a flat table has not.
            assert "made flat" in others.pop(0)
        assert all(each.startswith("Holds ") for each in others)
        assert len(others) == 4
        assert last == WARNING
        card = next(made.path.parent.glob("mental_health_openai.README.md")).read_text("utf-8")
        assert f"## Warnings\n\n- {first}\n" in card


def test_commands_show_the_first_one_first(tmp_path: Path) -> None:
    lost = [{"q": "Is it so?", "reply": "Yes."}] * 3
    good = [{"q": f"Is it so, {at}?", "a": "Yes."} for at in range(9)]
    catalog = own_rows(tmp_path, "short", [*lost, *good])
    merge_sample(tmp_path / "datasets", catalogs=(catalog,))
    prepare_all_formats(tmp_path / "datasets")
    for command in (("status",), ("stats",), ("prepare", "all", "--force")):
        shown = run(*command, cwd=tmp_path).out.partition("\nWarnings\n")[2]
        first = "! short lost 3 of its 12 rows" if command[0] != "prepare" else "! Holds Llama 3"
        assert shown.startswith(first)
    page = tmp_path / "page.html"
    assert run("stats", "--html", page, cwd=tmp_path).code == 0
    listed = page.read_text("utf-8").partition("Before you use this corpus</h2><ul>")[2]
    assert listed.startswith("<li>short lost 3 of its 12 rows (25.0%): 3 × missing-column")
    assert NAME not in listed.partition("</ul>")[0]
