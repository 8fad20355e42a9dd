"""Registries: what is of one name, or cannot be imported, is told; all others go on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import environment, run
from documents import read

from mindcorpus.errors import SettingsError
from mindcorpus.formats import registry as formats
from mindcorpus.formats.base import Format
from mindcorpus.formats.registry import FORMATS, FormatEntry, choices, names_of
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings
from mindcorpus.stages import registry as stages_registry
from mindcorpus.stages.base import Stage
from mindcorpus.stages.registry import STAGES, StageEntry, choose
from mindcorpus.storage.kinds import CORPUS, KINDS
from mindcorpus.storage.store import Store

pytest_plugins = ("made_sample",)

TOYS = Path(__file__).parents[1] / "toys"


def test_every_entry_has_a_module_of_its_kind() -> None:
    for name in FORMATS:
        assert issubclass(formats.load(name), Format)
    chosen = choose(tuple(STAGES))
    stages: list[Stage] = [*chosen.of_records, *chosen.of_corpus]
    assert [type(stage).__module__ for stage in stages] == [
        entry.module for entry in STAGES.values()
    ]


def test_every_format_is_described_in_the_docs_under_its_title_or_name() -> None:
    page = read("docs/formats.md")
    headings = set(re.findall(r"^## (.*)$", page, re.MULTILINE))
    described = {re.sub("[ -]", "", heading).lower() for heading in headings}
    assert {name.replace("-", "") for name in FORMATS} <= described


def test_every_stage_is_described_in_the_docs_as_its_entry_says() -> None:
    page = read("docs/formats.md")
    for entry in STAGES.values():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{entry.name}` | "))
        assert entry.summary in row
        for word in (*entry.reasons, *entry.changes):
            assert f"`{word}`" in row
            assert f"\n| `{word}` | " in page


def test_all_stands_for_what_the_guide_promises() -> None:
    assert names_of("all") == ("openai", "huggingface")
    assert names_of("sharegpt") == ("sharegpt",)
    assert names_of("all", ("sharegpt", "openai")) == ("openai", "sharegpt")
    assert choices() == (*FORMATS, "all")
    with pytest.raises(SettingsError, match="there is no format 'nothing'"):
        names_of("nothing")


@pytest.fixture
def twice() -> Iterator[None]:
    entries = [FormatEntry("twice", "", "", "twice", "", module=f"module_{n}") for n in range(2)]
    for entry in entries:
        formats.register(entry)
    yield
    for entry in entries:
        formats.remove(entry)


def test_two_of_one_name_are_told_where_it_is_asked_for(twice: None) -> None:
    with pytest.raises(SettingsError, match="called 'twice': module_0 and module_1"):
        names_of("twice")
    assert names_of("all") == ("openai", "huggingface")


def test_a_module_that_cannot_be_imported_is_named() -> None:
    entry = FormatEntry("broken", "", "", "broken", "", module="no_such_module")
    formats.register(entry)
    try:
        with pytest.raises(SettingsError, match=r"'broken' cannot be loaded: .* in no_such_module"):
            formats.load("broken")
    finally:
        formats.remove(entry)
    assert "broken" not in choices()


def test_formats_beside_one_that_cannot_be_loaded_are_made(copied: Path) -> None:
    entry = FormatEntry("broken", "", "", "broken", "", module="no_such_module")
    formats.register(entry)
    before = Store(copied).manifest("openai")
    try:
        request = PrepareRequest(formats=("broken", "openai"), min_words=2, force=True)
        with pytest.raises(SettingsError, match="'broken' cannot be loaded"):
            prepare(request, Settings(data_dir=copied, workers=1))
    finally:
        formats.remove(entry)
    assert Store(copied).manifest("openai")["settings"] != before["settings"]


def test_all_here_is_also_what_exists_but_for_a_name_of_two(twice: None) -> None:
    assert names_of("all", (), {"sharegpt", "twice"}.__contains__) == (
        *names_of("all"),
        "sharegpt",
    )


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("FORMAT = no_such_name", "NameError"),
        ("open('/no/such/file')", "FileNotFoundError"),
        ("FORMAT = (", "SyntaxError"),
        ("", "AttributeError"),
    ],
)
def test_a_module_that_fails_in_its_own_way_is_named(
    code: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_format.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "failing_format", raising=False)
    entry = FormatEntry("failing", "", "", "failing", "", module="failing_format")
    formats.register(entry)
    told = f"the format 'failing' cannot be loaded: {error} in failing_format"
    try:
        with pytest.raises(SettingsError, match=told):
            formats.load("failing")
    finally:
        formats.remove(entry)


def test_a_stage_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_stage.py").write_text("def STAGE():\n    raise ZeroDivisionError\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry = StageEntry("failing", "", "", "record", on=False, module="failing_stage")
    stages_registry.register(entry)
    told = "the stage 'failing' cannot be loaded: ZeroDivisionError in failing_stage"
    try:
        with pytest.raises(SettingsError, match=r"no option 'failing\.most'"):
            choose(("failing",), {"failing.most": "2"})
        with pytest.raises(SettingsError, match=told):
            choose(("failing",))
        assert choose(None).of_corpus
    finally:
        stages_registry.remove(entry)


_SPAN = """
from dataclasses import dataclass

@dataclass(frozen=True)
class STAGE:
    least: int = 1
    most: int = 10
    path: str = ""

    def __post_init__(self):
        if self.least > self.most:
            raise ValueError("least is more than most")
        if self.path:
            open(self.path)
"""


@pytest.fixture
def span(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stage whose options depend on each other, and that reads a file which one names."""
    (tmp_path / "span_stage.py").write_text(_SPAN)
    monkeypatch.syspath_prepend(tmp_path)
    entry = StageEntry("span", "", "", "record", on=False, module="span_stage")
    stages_registry.register(entry)
    yield
    stages_registry.remove(entry)
    sys.modules.pop("span_stage", None)


@pytest.mark.parametrize("names", [("least", "most"), ("most", "least")])
def test_the_options_of_a_stage_are_checked_together(span: None, names: tuple[str, ...]) -> None:
    values = {"least": "20", "most": "30"}
    (made,) = choose(("span",), {f"span.{name}": values[name] for name in names}).of_records
    assert (made.least, made.most) == (20, 30)  # type: ignore[attr-defined]
    with pytest.raises(SettingsError, match=r"option span\.least=20: least is more than most"):
        choose(("span",), {"span.least": "20"})


def test_a_stage_that_fails_for_its_options_is_named(span: None) -> None:
    told = "the stage 'span' cannot be loaded: FileNotFoundError in span_stage"
    with pytest.raises(SettingsError, match=told):
        choose(("span",), {"span.path": "/no/such/file"})


@pytest.mark.parametrize(
    ("name", "artifact", "told"),
    [
        ("all", "mine", "no format can be called 'all'"),
        ("corpus", "mine", "no format can be called 'corpus'"),
        ("mine", CORPUS, f"cannot have {CORPUS}.README.md, .*: 'corpus' has it"),
        ("mine", "mental_health_openai", "'openai' has it"),
        ("twice", "mental_health_openai", "'openai' has it"),
    ],
)
def test_a_name_or_path_that_stands_for_something_else_is_refused(
    name: str, artifact: str, told: str, twice: None
) -> None:
    before = dict(KINDS), len(FORMATS)
    with pytest.raises(ValueError, match=told):
        formats.register(FormatEntry(name, "", "", artifact, ""))
    assert (dict(KINDS), len(FORMATS)) == before


def test_a_broken_format_keeps_no_other_from_being_made(tmp_path: Path) -> None:
    paths = f"{TOYS}:{environment()['PYTHONPATH']}"
    merged = run("merge", "--sample", "--workers", "1", cwd=tmp_path, PYTHONPATH=paths)
    assert merged.code == 0, merged.err
    for name, words in (
        ("broken", "the format 'broken' cannot be loaded: ModuleNotFoundError in no_such_module"),
        ("twice", "more than one format is called 'twice': toy_format and other_format"),
    ):
        ran = run("prepare", name, cwd=tmp_path, PYTHONPATH=paths)
        assert (ran.code, words in ran.err) == (3, True), ran.err
    assert run("prepare", "openai", cwd=tmp_path, PYTHONPATH=paths).code == 0
    assert run("verify", cwd=tmp_path, PYTHONPATH=paths).code == 0


def test_help_loads_no_module_of_a_format_and_no_pydantic() -> None:
    code = (
        "import sys\nfrom mindcorpus.cli.main import main\nsys.argv[1:] = ['prepare', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = ('pydantic', 'pyarrow', 'numpy', 'rich', 'mindcorpus.formats.openai')\n"
        "sys.exit(str([name for name in heavy if name in sys.modules] or ''))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() == ""
    assert "`mindcorpus formats` lists" in done.stdout
