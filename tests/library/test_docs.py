"""The documentation is true: tables equal the code, examples run, links lead somewhere."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args

import click
import docs_figures
import pyarrow as pa
import pytest
import registered
from documents import PAGES, ROOT, anchors, blocks, links, read, section, table, tables
from pydantic import BaseModel

import mindcorpus
from mindcorpus import MergeResult, PrepareResult, ServiceClient, Settings, errors
from mindcorpus.cli.main import EXIT_CODES, cli
from mindcorpus.client.service import Submission
from mindcorpus.corpus import turns
from mindcorpus.corpus.lineage import SCHEMA as LINEAGE
from mindcorpus.formats.chat_rules import RULES
from mindcorpus.formats.huggingface import SCHEMA as HUGGINGFACE
from mindcorpus.job_requests import MergeRequest, PrepareRequest, SystemPolicy
from mindcorpus.preparing import carrying, selection
from mindcorpus.preparing.cutting import CUT
from mindcorpus.progress import PHASES
from mindcorpus.records import COLUMNS
from mindcorpus.sources import chat_turns, content_parts, thread_adapter
from mindcorpus.sources.adapters import TagColumn
from mindcorpus.sources.catalog import ADAPTERS, File, Licence, Source, load_catalog, read_entries
from web.settings import WebSettings
from workers.settings import ServiceSettings, WorkerSettings

NOTHING = "–"
PACKAGE = ROOT / "mindcorpus"


def first_cells(rows: list[list[str]]) -> list[str]:
    return [row[0] for row in rows]


# All pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page.read_text("utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text("utf-8")), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_shell_examples_are_commands_that_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)
    for line in filter(None, "\n".join(blocks(page.read_text("utf-8"), "sh")).splitlines()):
        command, *arguments = shlex.split(line, comments=True)
        if command == "make":
            assert arguments[0] in targets, line
        elif command.rpartition("/")[2] == "mindcorpus":
            # Without the options that stand before the command.
            _, (name, *arguments), _ = cli.make_parser(click.Context(cli)).parse_args(arguments)
            cli.commands[name].make_context(name, arguments)
        else:
            pytest.fail(f"what is {line!r}?")


@pytest.mark.parametrize("page", docs_figures.PAGES)
def test_what_a_page_prints_of_the_sample_is_so(page: str) -> None:
    # Examples print what they say, tables count what there is; `make docs-figures` mends it.
    assert read(page) == docs_figures.rewritten(page)


# docs/sources.md

SOURCES = read("docs/sources.md")


def default_of(value: Any) -> str:
    if value in (None, "", (), {}):
        return NOTHING
    return str(value).lower() if isinstance(value, bool) else str(value)


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    return {
        name: "required" if field.is_required() else default_of(field.get_default())
        for name, field in model.model_fields.items()
    }


def options_of(adapter: Any) -> dict[str, str]:
    return {
        option.name: "required" if option.default is MISSING else default_of(option.default)
        for option in fields(adapter)
    }


def test_the_seven_are_described_as_the_catalogue_has_them() -> None:
    seven = list(load_catalog())
    assert table(SOURCES, "The seven") == [
        [
            source.name,
            source.repository or source.url or source.path,
            source.licence.id,
            source.licence.commercial,
            source.type,
        ]
        for source in seven
    ]
    for source in seven:
        text = section(SOURCES, source.name)
        assert all(Path(file.path).name in text for file in source.files)
        assert all(f"`{tag}`" in text for tag in source.tags)


def test_what_licences_let_others_have_is_as_the_catalogue_says() -> None:
    assert table(SOURCES, "Copies and changes") == [
        [source.name, source.licence.redistribution, source.licence.modification]
        for source in load_catalog()
    ]


@pytest.mark.parametrize(
    ("heading", "model"),
    [("`[[source]]`", Source), ("`[[source.files]]`", File), ("`[source.licence]`", Licence)],
)
def test_every_key_of_an_entry_is_explained(heading: str, model: type[BaseModel]) -> None:
    documented = {key: default for key, default, _ in table(SOURCES, heading)}
    assert documented == keys_of(model)


@pytest.mark.parametrize("name", [*ADAPTERS, "A tag column"])
def test_every_option_of_an_adapter_is_explained(name: str) -> None:
    adapter = ADAPTERS.get(name, TagColumn)
    heading = f"`{name}`" if name in ADAPTERS else name
    options = tables(section(SOURCES, heading))[-1]
    assert {key: default for key, default, _ in options} == options_of(adapter)


def test_the_columns_that_threads_knows_are_listed_in_their_order() -> None:
    documented = {
        key: tuple(re.findall(r"\w+", names)) for key, _, names in table(SOURCES, "`threads`")
    }
    assert documented == thread_adapter._NAMES


def test_the_names_that_roles_are_known_by_are_listed() -> None:
    documented = {
        role: tuple(re.findall(r"[\w-]+", names)) for role, names in table(SOURCES, "`messages`")
    }
    assert documented == chat_turns.NAMES_OF_ROLES


def test_the_catalogue_examples_are_right_and_show_every_home() -> None:
    examples = blocks(SOURCES, "toml")
    found = [source for text in examples for source in read_entries(text, "docs/sources.md")]
    homes = {
        home for source in found for home in ("repository", "url", "path") if getattr(source, home)
    }
    assert homes == {"repository", "url", "path"}
    assert {bool(source.files) for source in found if source.repository} == {True, False}
    # The same in one file, as a user may write it.
    assert tomllib.loads("\n".join(examples))


# docs/formats.md

FORMATS = read("docs/formats.md")


def test_the_columns_of_a_record_are_listed() -> None:
    assert first_cells(table(FORMATS, "A record")) == list(COLUMNS)
    assert first_cells(table(FORMATS, "Hugging Face")) == HUGGINGFACE.names


def test_the_columns_of_a_conversation_are_listed() -> None:
    assert first_cells(table(FORMATS, "A conversation")) == list(turns.NAMES)
    described = section(FORMATS, "A conversation")
    assert all(f"`{field.name}`" in described for field in turns.TURN)


def test_the_columns_of_the_lineage_are_listed() -> None:
    def shown(type_: Any) -> str:
        if pa.types.is_dictionary(type_):
            type_ = type_.value_type
        return str(type_).replace("fixed_size_binary[16]", "binary(16)")

    documented = [row[:2] for row in table(FORMATS, "Lineage")]
    assert documented == [[field.name, shown(field.type)] for field in LINEAGE]


def constants(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def reasons_in(source: str) -> set[str]:
    """Find what is given as a reason to `Drop` and `Wrong`, and what `_unusable` returns."""
    found: set[str] = set()
    places = {"Drop": 1, "Wrong": 0}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = places.get(node.func.id, len(node.args))
            found.update(
                value for given in node.args[place : place + 1] for value in constants(given)
            )
        elif isinstance(node, ast.FunctionDef) and node.name == "_unusable":
            returned = [each for each in ast.walk(node) if isinstance(each, ast.Return)]
            found.update(value for each in returned for value in constants(each))
    return {value for value in found if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value)}


def test_every_reason_for_a_drop_is_explained() -> None:
    files = [PACKAGE / "merging/row_lines.py", *(PACKAGE / "sources").glob("*.py")]
    found = {"duplicate", *content_parts.ATTACHMENTS.values()}
    for file in (*files, *(PACKAGE / "sources/readers").glob("*.py")):
        found |= reasons_in(file.read_text("utf-8"))
    assert sorted(first_cells(table(FORMATS, "Why a row is dropped"))) == sorted(found)


def changes_in(source: str) -> set[str]:
    """Find the words that are put into something called `changed`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(each, ast.Name) and each.id == "changed" for each in targets):
                found.update(constants(node.value))
    return {word for word in found if re.fullmatch(r"[a-z]+(-[a-z]+)+", word)}


def test_everything_that_is_changed_is_explained() -> None:
    code = "".join(path.read_text("utf-8") for path in (PACKAGE / "sources").glob("*.py"))
    found = set(re.findall(r"""changes\[f?"([a-z0-9:-]+)(?:\{|"\])""", code))
    found |= set(re.findall(r'changed \+?= \("([a-z0-9-]+)",\)', code)) | {chat_turns.LEGACY}
    documented = first_cells(table(FORMATS, "What is changed"))
    assert sorted(name.removesuffix("NAME") for name in documented) == sorted(found)


def test_every_reason_to_skip_a_record_is_explained() -> None:
    assert first_cells(table(FORMATS, "The manifest", 2)) == list(selection.REASONS)


CARRYING = "What a format does with what it cannot carry"


def test_what_a_format_cannot_carry_is_explained() -> None:
    assert sorted(first_cells(table(FORMATS, CARRYING))) == sorted(carrying.REASONS)
    words = {*carrying.WITHOUT.values(), *carrying.POLICIES.values(), CUT}
    for path in (PACKAGE / "formats").glob("*.py"):
        found = constants(ast.parse(path.read_text("utf-8")))
        words |= {each for each in found if re.fullmatch(r"[a-z-]+-(left-out|of-their-own)", each)}
    assert sorted(first_cells(table(FORMATS, CARRYING, 1))) == sorted(words)


def test_every_policy_is_explained() -> None:
    assert first_cells(table(FORMATS, "OpenAI")) == list(get_args(SystemPolicy))


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("docs"), workers=1)
    corpus = mindcorpus.merge_all_datasets(sample=True, settings=settings)
    formats = mindcorpus.prepare_all_formats(settings=settings)
    return {"corpus": corpus.manifest, **{kind: each.manifest for kind, each in formats.items()}}


def test_every_key_of_the_manifests_is_explained(
    manifests: Mapping[str, Mapping[str, Any]],
) -> None:
    of_corpus, of_format, _ = tables(section(FORMATS, "The manifest"))
    assert first_cells(of_corpus) == list(manifests["corpus"])
    for kind in registered.FORMATS:
        assert first_cells(of_format) == list(manifests[kind])
    split = table(FORMATS, "The split", 1)
    assert first_cells(split) == list(manifests["huggingface"]["split"])


def test_every_key_of_the_statistics_is_explained(
    manifests: Mapping[str, Mapping[str, Any]],
) -> None:
    assert first_cells(table(FORMATS, "Statistics")) == list(manifests["corpus"]["statistics"])


def test_every_finding_of_the_chat_check_is_explained() -> None:
    documented = [
        [code, severity, meaning.rstrip(".").lower()]
        for code, severity, meaning in table(FORMATS, "What the chat check finds")
    ]
    assert documented == [
        [code, rule.severity, rule.meaning.lower()] for code, rule in RULES.items()
    ]


# docs/cli.md

CLI = read("docs/cli.md")


def options_table(command: click.Command) -> list[list[str]]:
    rows = []
    for option in command.params:
        if isinstance(option, click.Option):
            names = [f"`{name}`" for name in option.opts]
            if option.metavar and not option.is_flag:
                names[0] = f"`{option.opts[0]} {option.metavar}`"
            label = names[0].strip("`") if len(names) == 1 else ", ".join(names)
            rows.append([label, " ".join((option.help or "").split())])
    return rows


@pytest.mark.parametrize("command", list(cli.commands))
def test_every_command_and_option_is_documented(command: str) -> None:
    assert table(CLI, command) == options_table(cli.commands[command])


def test_the_options_of_an_inspection_are_documented() -> None:
    group = cli.commands["sources"]
    assert isinstance(group, click.Group)
    assert table(CLI, "sources inspect") == options_table(group.commands["inspect"])


def test_the_options_before_the_command_are_documented() -> None:
    documented = table(CLI, "With a service")
    assert documented == [row for row in options_table(cli) if row[0] != "--version"]


def test_the_exit_codes_are_those_of_the_help() -> None:
    lines = [line.split(None, 1) for line in EXIT_CODES.splitlines() if line.startswith("  ")]
    assert table(CLI, "Exit codes") == lines


def test_every_error_code_is_documented() -> None:
    def below(kind: type[errors.MindcorpusError]) -> Iterator[type[errors.MindcorpusError]]:
        for child in kind.__subclasses__():
            if child.__module__ == errors.__name__:  # the service's own are in docs/http-api.md
                yield child
                yield from below(child)

    documented = {code: int(exit_code) for code, exit_code, _ in table(CLI, "Exit codes", 1)}
    assert documented == {kind.code: kind.exit_code for kind in below(errors.MindcorpusError)}


# docs/settings.md


def test_every_setting_is_documented() -> None:
    def rows(model: type[Settings], known: Iterable[str] = ()) -> list[list[str | None]]:
        return [
            [
                f"MINDCORPUS_{name.upper()}",
                "one a core" if field.default_factory else default_of(field.default),
                field.description,
            ]
            for name, field in model.model_fields.items()
            if name not in known
        ]

    everybody, service, _ = tables(read("docs/settings.md"))
    assert everybody == rows(Settings)
    assert service == [
        *rows(ServiceSettings, Settings.model_fields),
        *rows(WorkerSettings, ServiceSettings.model_fields),
        *rows(WebSettings, ServiceSettings.model_fields),
    ]


def test_every_variable_that_the_code_reads_is_documented() -> None:
    code = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py"))
    named = " ".join(first_cells(tables(read("docs/settings.md"))[2]))
    for variable in set(re.findall(r'environ\.get\(\s*"(\w+)"', code)):
        assert variable in named


# docs/python-api.md

API = read("docs/python-api.md")


@pytest.mark.parametrize(
    ("heading", "number", "kind"),
    [
        ("Choosing", 0, MergeRequest),
        ("Choosing", 1, PrepareRequest),
        ("What comes back", 0, MergeResult),
        ("What comes back", 1, PrepareResult),
        ("A service", 1, Submission),
    ],
)
def test_every_field_of_requests_and_results_is_explained(
    heading: str, number: int, kind: Any
) -> None:
    if issubclass(kind, BaseModel):
        names = {*kind.model_fields}
        assert set(first_cells(table(API, heading, number))) == names
    else:
        names_ = [field.name for field in fields(kind)]
        assert first_cells(table(API, heading, number)) == names_


def test_every_method_of_the_client_is_explained() -> None:
    listed = " ".join(first_cells(table(API, "A service")))
    assert set(re.findall(r"\w+", listed)) == {
        name for name in vars(ServiceClient) if not name.startswith("_")
    }


def test_every_public_name_is_listed() -> None:
    listed = " ".join(first_cells(table(API, "Below these functions")))
    assert set(re.findall(r"\w+", listed)) == set(mindcorpus.__all__)


def test_every_stage_is_named() -> None:
    text = " ".join(section(API, "Progress, cancellation, errors").split())
    assert "The stages are " + ", ".join(f"`{stage}`" for stage in PHASES[:-1]) in text


# The others


def test_the_architecture_names_every_package_in_its_own_words() -> None:
    page = read("docs/architecture.md")
    listed = dict(re.findall(r"^\| `([\w/]+)/` \| (.*) \|$", page, re.MULTILINE))
    packages = {
        path.parent.relative_to(ROOT).as_posix(): ast.get_docstring(ast.parse(path.read_text()))
        for room in ("mindcorpus", "workers", "web")
        for path in (ROOT / room).glob("*/__init__.py")
    }
    purposes = {
        name: " ".join((words or "").split("\n\n")[0].split()) for name, words in packages.items()
    }
    assert listed == purposes


def test_every_module_that_the_docs_name_is_there() -> None:
    words = read("docs/architecture.md") + read("CONTRIBUTING.md")
    named = {name for name in re.findall(r"`((?:\w+/)+\w+\.py)`", words) if "NAME" not in name}
    assert named
    for name in named:
        assert any((home / name).exists() for home in (ROOT, PACKAGE)), name


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
    assert newest
    assert newest[1] == mindcorpus.__version__


def test_the_changelog_says_one_sentence_a_line() -> None:
    for line in read("CHANGELOG.md").splitlines():
        assert not line.startswith("- ") or line.endswith("."), line
        assert not re.search(r"^- .*[.!?] [A-Z]", line), line
