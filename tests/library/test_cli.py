"""The command line without a terminal: what it prints, what it keeps, how it ends."""

from __future__ import annotations

import json
import re
import resource
import shutil
import sys
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path

import pytest
from command_line import run
from registered import FORMATS, SOURCES

from mindcorpus import errors
from mindcorpus.cli import watch
from mindcorpus.cli.main import EXIT_CODES, cli
from mindcorpus.cli.render import format_parts
from mindcorpus.cli.terminal import Terminal
from mindcorpus.client.service import ServiceClient
from mindcorpus.preparing.offer_words import lengths_told
from mindcorpus.sources.fetching import SAMPLE

CORPUS = "datasets/merged_mental_health_dataset"
CHAT = "datasets/mental_health_openai.jsonl"
HEAVY = ["pyarrow", "pandas", "datasets", "pydantic", "numpy", "rich", "huggingface_hub"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the merged and prepared sample; tests read it and change nothing."""
    folder = tmp_path_factory.mktemp("made")
    assert run("merge", "--sample", cwd=folder).code == 0
    assert run("prepare", cwd=folder).code == 0
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to be changed."""
    return shutil.copytree(made, tmp_path / "copy", symlinks=True)


# Help and usage


def test_help_is_answered_without_loading_the_library(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom mindcorpus.cli.main import main\nsys.argv[1:] = ['--help']\n"
        "try: main()\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    )
    ran = run(cwd=tmp_path, start=(sys.executable, "-c", script))
    assert ran.out.endswith("[]\n")


def test_help_takes_less_than_a_third_of_a_second(tmp_path: Path) -> None:
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("--help", cwd=tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3


@pytest.mark.parametrize("command", list(cli.commands))
def test_every_command_and_option_is_explained(command: str) -> None:
    assert cli.commands[command].help
    assert all(
        getattr(param, "help", "")
        for param in cli.commands[command].params
        if param.opts[0].startswith("-")
    )


def test_every_exit_code_is_documented() -> None:
    def below(kind: type[errors.MindcorpusError]) -> Iterator[type[errors.MindcorpusError]]:
        yield kind
        for child in kind.__subclasses__():
            if child.__module__ == errors.__name__:
                yield from below(child)

    documented = {line.split()[0] for line in EXIT_CODES.splitlines() if line.startswith("  ")}
    assert {str(kind.exit_code) for kind in below(errors.MindcorpusError)} | {
        "0",
        "2",
    } == documented


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["merge", "--path", "RedditESS"],
        ["merge", "--option", "=1"],
        ["prepare", "parquet"],
        ["prepare", "openai", "parquet"],
        ["prepare", "all", "chat"],
        ["formats", "parquet"],
        ["prepare", "--mix", "TRACE=much"],
        ["prepare", "--over-length", "cut"],
        ["prepare", "--cap", "TRACE=many"],
        ["prepare", "--cap", "TRACE=-1"],
        ["prepare", "--cap", "TRACE=1", "--cap", "TRACE=2"],
        ["merge", "--path", "TRACE=a", "--path", "TRACE=b"],
        ["merge", "--revision", "TRACE=a", "--revision", "TRACE=b"],
        ["merge", "--option", "TRACE.a=1", "--option", "TRACE.a=2"],
        ["status", "--data-dir", "\udcff"],
        ["browse", "--search", "\udcff"],
        ["check"],
        ["browse", "--limit", "0"],
        ["browse", "--row", "-1"],
        ["jobs"],
        ["watch", "0" * 32],
        ["download", "merged_mental_health_dataset.json"],
        ["merge", "--sample", "--detach"],
        ["merge", "--sample", "--label", "mine"],
        ["--server", "http://127.0.0.1:1", "merge", "--workers", "1"],
        ["--server", "http://127.0.0.1:1", "merge", "--path", "TRACE=a"],
        ["--server", "http://127.0.0.1:1", "merge", "--catalog", "mine.toml"],
        ["--server", "http://127.0.0.1:1", "status", "--data-dir", "x"],
        ["--server", "http://127.0.0.1:1", "verify"],
        ["--server", "http://127.0.0.1:1", "download", "x", "--json"],
    ],
)
def test_wrong_usage_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    ran = run(*arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["merge", "--source", "Nobody"],
        ["merge", "--sample", "--workers", "0"],
        ["merge", "--catalog", "nowhere.toml"],
        ["merge", "--sample", "--option", "Psych-101.colour=red"],
        ["check", "nowhere.jsonl"],
    ],
)
def test_wrong_settings_end_with_3(arguments: list[str], tmp_path: Path) -> None:
    ran = run(*arguments, cwd=tmp_path)
    assert ran.code == 3
    assert ran.err.startswith("error: ")
    assert len(ran.err.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_given_twice_is_named(tmp_path: Path) -> None:
    ran = run("prepare", "--cap", "Psych-101=1", "--cap", "Psych-101=2", cwd=tmp_path)
    assert "Psych-101 is given more than once" in ran.err


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    ran = run("status", cwd=tmp_path, MINDCORPUS_WORKERS="many")
    assert ran.code == 3
    assert "MINDCORPUS_WORKERS" in ran.err


# Before there is anything


def test_status_of_an_empty_folder_is_fine(tmp_path: Path) -> None:
    assert run("status", cwd=tmp_path).out.count("none") == 1 + len(FORMATS)
    found = run("status", "--json", cwd=tmp_path).json
    assert {kind: entry["exists"] for kind, entry in found.items()} == {
        "corpus": False,
        **dict.fromkeys(FORMATS, False),
    }


@pytest.mark.parametrize("command", ["stats", "verify", "browse", "prepare"])
def test_without_a_corpus_the_hint_says_how_to_make_one(command: str, tmp_path: Path) -> None:
    ran = run(command, cwd=tmp_path)
    assert ran.code == 6
    assert "mindcorpus merge" in ran.err


def test_sources_lists_those_of_the_catalogue(tmp_path: Path) -> None:
    names = [source["name"] for source in run("sources", "--json", cwd=tmp_path).json]
    assert names == [*SOURCES]
    listed = run("sources", cwd=tmp_path).out
    assert all(name in listed for name in names)


# Merge and prepare


def test_merge_accounts_for_every_row_in_plain_text(copy: Path) -> None:
    ran = run("merge", "--sample", "--force", cwd=copy)
    assert ran.code == 0
    assert "\x1b" not in ran.out + ran.err
    statistics = json.loads((copy / f"{CORPUS}.manifest.json").read_text())["statistics"]
    for name, source in statistics["sources"].items():
        row = next(line.split() for line in ran.out.splitlines() if line.startswith(name))
        read, kept, duplicates, dropped = (int(cell.replace(",", "")) for cell in row[1:5])
        assert read == kept + duplicates + dropped == source["read"]
    for heading in ("Sources", "Tags", "Warnings", "Notes", "Files"):
        assert f"\n{heading}\n" in ran.out
    assert "Next: mindcorpus prepare\n" in ran.out
    assert f"{CORPUS}.json" in ran.out


def test_commercial_only_says_what_it_leaves_out_and_why(tmp_path: Path) -> None:
    ran = run("merge", "--sample", "--commercial-only", cwd=tmp_path)
    assert ran.code == 0
    assert "- TRACE: CC-BY-NC-4.0, commercial use: no. " in ran.err
    assert "LicenseRef-RAIL-D, commercial use: after payment. " in ran.err
    assert "Psych-101:" not in ran.err
    ran = run("merge", "-f", "--sample", "--commercial-only", "--source", "TRACE", cwd=tmp_path)
    assert ran.code == 3
    assert "TRACE: CC-BY-NC-4.0" in ran.err


def test_a_merge_names_the_formats_that_are_now_outdated(copy: Path) -> None:
    assert "Outdated" not in run("status", cwd=copy).out
    ran = run("merge", "--sample", "--exclude", "TRACE", "--force", cwd=copy)
    said = "Outdated, made from an earlier corpus: openai, huggingface."
    assert f"{said} Next: mindcorpus prepare\n" in ran.out
    assert said in run("status", cwd=copy).out
    problems = run("verify", "--json", cwd=copy)
    assert problems.code == 1
    assert [each["kind"] for each in problems.json] == ["openai", "huggingface"]
    assert run("prepare", "openai", cwd=copy).code == 0
    said = "earlier corpus: huggingface. Next: mindcorpus prepare huggingface\n"
    assert said in run("status", cwd=copy).out


def test_a_merge_that_leaves_a_source_out_names_the_exports_that_hold_it(copy: Path) -> None:
    assert run("prepare", "chat", "--exclude", "TRACE", cwd=copy).code == 0
    ran = run("merge", "--sample", "--exclude", "TRACE", "--force", cwd=copy)
    # The chat format was made without it.
    said = "hold records of sources that are not in the corpus"
    assert f"{said}: openai (TRACE), huggingface (TRACE).\n" in ran.out
    assert run("prepare", "openai", "huggingface", cwd=copy).code == 0
    ran = run("merge", "--sample", "--exclude", "TRACE", "--force", cwd=copy)
    assert said not in ran.out


def test_outdated_formats_are_made_anew_as_they_were(copy: Path) -> None:
    capped = ("prepare", "openai", "--cap", "Psych-101=2", "--force")
    assert run(*capped, cwd=copy).code == 0
    run("merge", "--sample", "--exclude", "TRACE", "--force", cwd=copy)
    ran = run("prepare", cwd=copy)
    assert ran.code == 0, ran.err
    assert "mental_health_openai.jsonl is outdated, made from an earlier corpus" in ran.err
    manifest = json.loads((copy / "datasets/mental_health_openai.manifest.json").read_text())
    assert manifest["settings"]["caps"] == {"Psych-101": 2}
    assert "Outdated" not in run("status", cwd=copy).out


def test_other_settings_are_told_and_nothing_is_made(copy: Path) -> None:
    before = (copy / CHAT).read_bytes()
    ran = run("prepare", "openai", "chat", "--cap", "TRACE=5", cwd=copy)
    assert (ran.code, ran.out) == (7, "")
    assert "it would change: caps: none -> TRACE=5" in ran.err
    assert not (copy / "datasets/mental_health_chat").exists()
    ran = run("prepare", "--seed", 7, cwd=copy)
    assert ran.code == 7
    assert ran.err.count("it would change: seed: 42 -> 7") == len(FORMATS)
    assert (copy / CHAT).read_bytes() == before


def test_several_formats_are_made_with_one_split(copy: Path) -> None:
    chosen = ("--source", "TRACE", "--source", "Psych-101", "--mix", "TRACE=2", "--min-words", 2)
    ran = run("prepare", "chat", "sharegpt", *chosen, "--max-words", 900, cwd=copy)
    assert ran.code == 0, ran.err
    assert ran.out.count("The split of the corpus, for all formats (seed 42)\n") == 1
    for said in ("\nchat: ", "\nsharegpt: ", "other-source", "too-few-words", "There again"):
        assert said in ran.out
    manifest = json.loads((copy / "datasets/mental_health_chat/manifest.json").read_text())
    assert manifest["settings"]["sources"] == ["TRACE", "Psych-101"]
    assert manifest["settings"]["mix"] == {"TRACE": 2.0}
    again = run("prepare", "chat", "openai", "huggingface", *chosen, "--max-words", 900, cwd=copy)
    assert again.code == 7
    assert "mental_health_chat exists" in again.err.partition("error: ")[0]


def test_what_is_up_to_date_is_told_and_stays_where_others_are_due(copy: Path) -> None:
    ran = run("prepare", "openai", "chat", cwd=copy)
    assert ran.code == 0, ran.err
    assert "mental_health_openai.jsonl exists: " in ran.err
    assert "; it is up to date.\n" in ran.err
    assert "\nopenai: " not in ran.out
    assert "\nchat: " in ran.out


def test_formats_are_listed_with_what_they_would_hold(copy: Path, tmp_path: Path) -> None:
    rows = json.loads((copy / "datasets/mental_health_openai.manifest.json").read_text())["rows"]
    listed = run("formats", cwd=copy).out
    for name in ("openai", "huggingface", "chat", "sharegpt"):
        (line,) = [line for line in listed.splitlines() if line.startswith(f"{name} ")]
        assert f" {rows} answers " in line
        assert ("up to date" in line) is (name in FORMATS)
    found = run("formats", "chat", "--json", cwd=copy).json
    assert [each["name"] for each in found] == ["chat"]
    told = run("formats", "chat", cwd=copy).out
    assert "Read by Together, " in told
    assert "By what they publish, also for OpenAI, Azure (not tested with them)." in told
    assert 'load_dataset("datasets/mental_health_chat")\n' in told
    assert "In tokens" not in told
    (tmp_path / "empty").mkdir()
    empty = run("formats", "--json", cwd=tmp_path / "empty").json
    assert {each["rows"] for each in empty} == {None}


def test_what_training_costs_is_told_at_a_price_that_is_given(copy: Path) -> None:
    folder = copy / "datasets"
    (tokens,) = (
        json.loads((folder / f"mental_health_{name}.manifest.json").read_text())["tokens"]
        for name in ("openai",)
    )
    learnt = tokens["lengths"]["all"]["total"]
    (found,) = run("formats", "openai", "--price", "2.5", "--epochs", "4", "--json", cwd=copy).json
    assert Decimal(found["training_cost"]) == Decimal("2.5") * learnt * 4 / 1_000_000
    told = run("formats", "openai", "--price=2.5", "--epochs=4", cwd=copy).out
    assert (
        f"Training on {learnt:,} tokens, 4 times: {Decimal(found['training_cost']):,.2f}." in told
    )
    # Of a format with parts, what it trains on.
    (table,) = run("formats", "huggingface", "--price", "1", "--json", cwd=copy).json
    assert table["trained_tokens"] == table["tokens"]["parts"]["train"]["total"] < learnt
    assert "training_cost" not in run("formats", "chat", "--price", "1", "--json", cwd=copy).json[0]
    for wrong in ("-1", "nan", "inf", "much"):
        assert run("formats", "--price", wrong, cwd=copy).code == 2


def test_what_would_be_refused_is_not_offered_for_upload(copy: Path) -> None:
    others = [f"--exclude={source['name']}" for source in run("sources", "--json", cwd=copy).json]
    ran = run("prepare", "openai", *others[1:], "--cap", "Human-Like-DPO-Dataset=3", "-f", cwd=copy)
    assert ran.code == 0, ran.err
    assert "openai: would be refused, mend it first: 3 of at least 10 examples\n" in ran.out
    assert "upload" not in ran.out


@pytest.mark.parametrize("arguments", [["merge", "--sample"], ["prepare"], ["prepare", "openai"]])
def test_nothing_is_replaced_unasked(arguments: list[str], copy: Path) -> None:
    before = sorted(path.name for path in (copy / "datasets/artifacts").iterdir())
    ran = run(*arguments, cwd=copy)
    assert (ran.code, ran.out) == (7, "")
    assert "records, built" in ran.err
    assert "--force" in ran.err
    assert sorted(path.name for path in (copy / "datasets/artifacts").iterdir()) == before


def test_the_data_folder_may_be_elsewhere_and_a_merge_be_partial(tmp_path: Path) -> None:
    ran = run("merge", "--sample", "--source", "TRACE", "--data-dir", "else where", cwd=tmp_path)
    assert ran.code == 0
    assert "Next: mindcorpus prepare --data-dir 'else where'\n" in ran.out
    assert run("stats", "--json", "--data-dir", "else where", cwd=tmp_path).json[
        "by_source"
    ].keys() == {"TRACE"}


def test_prepare_proves_the_split_and_says_what_it_skipped(copy: Path) -> None:
    ran = run("prepare", "--exclude", "Psych-101", "--cap", "TRACE=5", "-f", cwd=copy)
    assert ran.code == 0
    for said in ("no-response", "train", "validation", "Inputs in both: 0", CHAT):
        assert said in ran.out
    lines = (copy / CHAT).read_text().splitlines()
    assert f"openai: {len(lines):,} records" in ran.out
    for name in FORMATS:
        manifest = json.loads((copy / "datasets/artifacts" / name / "manifest.json").read_text())
        assert lengths_told(manifest["tokens"]) in " ".join(ran.out.split())


def test_the_guide_s_commands_are_there(copy: Path) -> None:
    def shortcut(name: str, *arguments: str) -> str:
        command = commands[name]
        code = f"import sys, {command.module} as it; sys.argv[0] = {name!r}; it.{command.attr}()"
        ran = run(*arguments, cwd=copy, start=(sys.executable, "-c", code))
        assert ran.code == 0, ran.err
        return ran.out

    commands = {each.name: each for each in distribution("mindcorpus").entry_points}
    assert "Usage: merge-datasets [OPTIONS]\n" in shortcut("merge-datasets", "--help")
    assert "Usage: prepare-openai [OPTIONS]\n" in shortcut("prepare-openai", "--help")
    assert "openai: " not in shortcut("prepare-huggingface", "--force")
    assert "mental_health_sharegpt" in shortcut("prepare-sharegpt")
    assert CHAT in shortcut("prepare-all-formats", "--force")


# Reading


def test_statistics_are_those_of_the_manifest(made: Path) -> None:
    manifest = json.loads((made / f"{CORPUS}.manifest.json").read_text())
    assert run("stats", "--json", cwd=made).json == manifest["statistics"]
    assert f"{manifest['rows']:,} records" in run("stats", cwd=made).out


def test_statistics_name_the_warnings_and_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    given = ("--path", "Psych-101=empty.jsonl", "--allow-missing")
    assert run("merge", "--sample", *given, cwd=tmp_path).code == 0
    statistics = run("stats", "--json", cwd=tmp_path).json
    said = run("stats", cwd=tmp_path).out
    warnings, missing = said.partition("\nWarnings\n")[2].split("\nMissing\n")
    assert "TRACE (CC BY-NC 4.0)" in warnings
    assert f"Psych-101: {statistics['missing'][0]['reason']}" in missing


def test_statistics_name_the_absent_sources(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[[source]]\nname = "Mine"\npath = "mine.jsonl"\ntype = "test"\nabsent = "Add it."\n'
        'files = [{path = "mine.jsonl"}]\n'
        'licence = {id = "MIT", terms = "MIT.", commercial = "yes"}\n'
        'options = {input = "q", response = "a"}\n'
    )
    trace = f"TRACE={SAMPLE / 'datasets/PomboLabs/TRACE'}"
    given = ("--catalog", "mine.toml", "--source", "Mine", "--source", "TRACE", "--path", trace)
    ran = run("merge", *given, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "\nAbsent\n- Mine:" in run("stats", cwd=tmp_path).out


def test_charts_are_written_whole_and_not_replaced_unasked(made: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("stats", "--html", page, cwd=made).code == 0
    assert page.read_text().endswith("</html>\n")
    assert run("stats", "--html", page, cwd=made).code == 7
    assert run("stats", "--html", page, "--force", cwd=made).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert run("stats", "--html", tmp_path / "no/page.html", cwd=made).code == 3


def test_verify_finds_what_was_changed(copy: Path) -> None:
    assert run("verify", cwd=copy).code == 0
    with (copy / CHAT).resolve().open("r+b") as file:
        file.write(b"[")
    ran = run("verify", "--json", cwd=copy)
    assert ran.code == 1
    assert [problem["kind"] for problem in ran.json] == ["openai"]
    assert "mental_health_openai.jsonl" in run("verify", cwd=copy).out


def test_check_tells_a_good_file_from_a_bad_one(made: Path, tmp_path: Path) -> None:
    assert run("check", CHAT, cwd=made).code == 0
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"messages": "none"}\n')
    ran = run("check", bad, "--json", cwd=made)
    assert ran.code == 1
    assert not ran.json["ok"]
    assert "messages-not-a-list" in run("check", bad, cwd=made).out


def test_browse_prints_one_page_and_says_where_the_next_begins(made: Path) -> None:
    ran = run("browse", "--limit", 2, cwd=made)
    page = run("browse", "--limit", 2, "--json", cwd=made).json
    assert f"More: --offset {page['next_offset']}" in ran.err
    assert len(page["records"]) == 2
    found = run("browse", "--tag", "depression", "--json", cwd=made).json
    assert all("depression" in record["tags"] for record in found["records"])
    assert "No record" in run("browse", "--source", "TRACE", "--tag", "depression", cwd=made).out


@pytest.mark.parametrize(
    ("option", "known"), [("source", "TRACE"), ("type", "counseling"), ("tag", "mindcorpus stats")]
)
def test_browse_names_what_there_is_for_what_there_is_not(
    option: str, known: str, made: Path
) -> None:
    ran = run("browse", f"--{option}", "nobody", cwd=made)
    assert (ran.code, ran.out) == (3, "")
    assert f"no {option} 'nobody'" in ran.err
    assert known in ran.err


def test_browse_beyond_the_end_says_how_many_match(made: Path) -> None:
    matched = run("browse", "--source", "TRACE", "--json", cwd=made).json["matched"]
    ran = run("browse", "--source", "TRACE", "--offset", 10**6, cwd=made)
    assert (ran.code, ran.out.partition(";")[0]) == (0, f"Only {matched} match")


def test_one_record_comes_with_its_lineage(made: Path) -> None:
    found = run("browse", "--row", 3, "--json", cwd=made).json
    assert found["record"]["row"] == 3
    assert found["lineage"]["source"] == found["record"]["source"]
    ran = run("browse", "--row", 3, cwd=made)
    assert found["record"]["input"].splitlines()[0] in ran.out
    assert "licence" in ran.out
    assert run("browse", "--row", 10**6, cwd=made).code != 0


def test_output_fits_a_terminal_that_has_only_ascii(made: Path) -> None:
    ran = run("stats", cwd=made, PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert "####" in ran.out
    assert ran.out.isascii()


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        ({"overlap": 0, "opening_overlap": 0, "group_overlap": 0}, "openings: 0; groups: 0"),
        ({"overlap": 0}, "Inputs in both: 0"),
    ],
)
def test_of_a_split_is_told_what_was_looked_for(
    proof: dict[str, int], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # A service of an earlier release does not know whether openings are on both sides.
    parts = {"train": {"rows": 1, "groups": 1}, "validation": {"rows": 1, "groups": 1}}
    made = {"rows": 2, "path": "x", "skipped": {}, "split": {"parts": parts, **proof}}
    Terminal().show(*format_parts("x", made, None))
    assert capsys.readouterr().out.rstrip().endswith(told)


def test_findings_of_a_format_that_is_not_known_here_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = {
        "rows": 1,
        "path": "foreign.jsonl",
        "skipped": {},
        "split": None,
        "warnings": [],
        "findings": {"of-another-format": 2, "too-few-examples": 1},
    }
    with ServiceClient("http://localhost") as client:
        watch._show_formats(Terminal(), client, "http://localhost", {"formats": {"foreign": made}})
    shown = capsys.readouterr().out
    assert re.search(r"warning +of-another-format +2 +of-another-format", shown)
    assert "mend it first: the file has fewer than 10 examples\n" in shown
