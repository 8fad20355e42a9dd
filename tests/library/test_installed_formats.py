"""Formats of installed packages: the example of the docs is one, and what is wrong with others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from alpaca import EXAMPLE, install, python, with_site
from command_line import Ran, run
from corpora import read_csv
from documents import read

from mindcorpus.formats.installed import GROUP

if TYPE_CHECKING:
    from made_sample import Made

pytest_plugins = ("made_sample",)

FILES = ("pyproject.toml", "mindcorpus_alpaca/__init__.py", "mindcorpus_alpaca/lines.py")


def test_the_docs_show_the_example_as_it_is() -> None:
    page = read("docs/formats.md")
    whole = [(EXAMPLE / name).read_text("utf-8") for name in FILES]
    for name, text in zip(FILES, whole, strict=True):
        kind = "toml" if name.endswith("toml") else "py"
        assert f"`{name}`:\n\n```{kind}\n{text}```\n" in page
    assert sum(text.count("\n") for text in whole) <= 60
    left = {path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.rglob("*.*")}
    assert {name for name in left if "__pycache__" not in name} == set(FILES)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed into a folder of its own."""
    return install(tmp_path_factory.mktemp("alpaca"))


def command(cwd: Path, site: Path, *arguments: object) -> Ran:
    return run(*arguments, cwd=cwd, PYTHONPATH=with_site(site))


def test_the_command_line_makes_it(installed: Path, tmp_path: Path) -> None:
    assert command(tmp_path, installed, "merge", "--sample", "--workers", "1").code == 0
    assert "alpaca" in command(tmp_path, installed, "formats").out
    made = command(tmp_path, installed, "prepare", "alpaca", "--workers", "2")
    assert made.code == 0, made.err
    assert "format alpaca" in made.out.replace("\n", " ")
    folder = tmp_path / "datasets/mental_health_alpaca"
    found = [
        json.loads(line)
        for part in ("train", "validation")
        for line in (folder / f"{part}.jsonl").read_text("utf-8").splitlines()
    ]
    command(tmp_path, installed, "prepare", "huggingface")
    table = read_csv(tmp_path / "datasets/mental_health_huggingface/dataset.csv")
    assert sorted((row["instruction"], row["input"], row["output"]) for row in found) == sorted(
        (row["instruction"], row["input"], row["output"]) for row in table
    )
    assert command(tmp_path, installed, "verify").code == 0
    assert "mental_health_alpaca" in command(tmp_path, installed, "status").out
    # Without the package its folder is nobody's: it is left alone, and nothing else suffers.
    assert run("verify", cwd=tmp_path).code == 0
    assert run("prepare", "alpaca", cwd=tmp_path).code == 2
    assert (folder / "train.jsonl").exists()


def test_python_makes_it(installed: Path, tmp_path: Path) -> None:
    code = (
        "from mindcorpus import merge_all_datasets, prepare_for\n"
        "merge_all_datasets(sample=True)\n"
        "print({*prepare_for('alpaca', instruction='Say yes.').to_pandas()['part']})\n"
    )
    printed = python("-c", code, cwd=tmp_path, PYTHONPATH=with_site(installed))
    assert printed in ("{'train', 'validation'}\n", "{'validation', 'train'}\n")
    (line, *_) = (tmp_path / "datasets/mental_health_alpaca/train.jsonl").read_text().splitlines()
    assert json.loads(line)["instruction"] == "Say yes."


# What is wrong with a package


def package(site: Path, name: str, points: str, **modules: str) -> None:
    """Install a package by hand: what it says of itself, and its modules."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{GROUP}]\n{points}\n")
    for module, code in modules.items():
        (site / f"{module}.py").write_text(code)


def entry(name: str, artifact: str = "mental_health_mine", **others: object) -> str:
    said = "".join(f", {key}={value!r}" for key, value in others.items())
    return dedent(f"""
        from mindcorpus.formats.entry import FormatEntry
        ENTRY = FormatEntry({name!r}, "Mine", "", {artifact!r}, ""{said})
    """)


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (None, "ModuleNotFoundError"),
        ("raise ZeroDivisionError", "ZeroDivisionError"),
        ("ENTRY = (", "SyntaxError"),
        ("", "AttributeError"),
        ("ENTRY = 'mine'", "it is a str, not a FormatEntry"),
        (entry("other"), "its entry is called 'other'"),
        (entry("mine", in_all=True), "MINDCORPUS_FORMATS adds a format to `all`"),
        (entry("mine", "mental_health_openai"), "'openai' has it"),
        (entry("mine", "../elsewhere"), "files lie in the data folder itself"),
    ],
)
def test_a_package_that_is_wrong_is_named_and_keeps_no_other(
    module: str | None, told: str, sample: Made, installed: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    modules = {} if module is None else {"bad_one": module}
    package(site, "bad-one", "mine = bad_one:ENTRY", **modules)
    paths = Path(f"{site}{os.pathsep}{installed}")
    ran = command(tmp_path, paths, "prepare", "mine", "--data-dir", sample.data_dir)
    said = " ".join(ran.err.split())
    assert ran.code == 3, said
    assert "the format 'mine' (bad_one:ENTRY, of the package bad-one)" in said
    assert told in said
    assert "Traceback" not in said
    listed = command(tmp_path, paths, "formats")
    assert "alpaca" in listed.out
    assert not any(line.startswith("mine ") for line in listed.out.splitlines())
    assert "of the package bad-one" in " ".join(listed.err.split())


@pytest.mark.parametrize("name", ["openai", "all", "corpus", "Mine!"])
def test_a_name_that_is_taken_or_none_stays_what_it_was(name: str, tmp_path: Path) -> None:
    package(tmp_path / "site", "bad-one", f"{name} = bad_one:ENTRY", bad_one=entry(name))
    code = (
        "from mindcorpus.formats.registry import FORMATS\n"
        "from mindcorpus.storage.kinds import KINDS\n"
        f"print(FORMATS.refused[{name!r}])\n"
        "print({*FORMATS} == {*KINDS} - {'corpus', 'split'})"
    )
    printed = python("-c", code, cwd=tmp_path, PYTHONPATH=with_site(tmp_path / "site"))
    assert f"the format {name!r} (bad_one:ENTRY, of the package bad-one)" in printed
    assert printed.endswith("True\n")


def test_two_packages_with_one_name_are_told(sample: Made, tmp_path: Path) -> None:
    for number in (1, 2):
        name = f"one_{number}"
        package(tmp_path / "site", name, f"mine = {name}:ENTRY", **{name: entry("mine")})
    there = ("--data-dir", sample.data_dir)
    ran = command(tmp_path, tmp_path / "site", "prepare", "mine", *there)
    assert ran.code == 3
    assert "more than one format is called 'mine': one_1 and one_2" in " ".join(ran.err.split())


def test_help_and_import_look_through_no_packages(tmp_path: Path) -> None:
    helped = "import sys\nfrom mindcorpus.cli.main import main\nsys.argv[1:] = ['--help']\n"
    helped += "try:\n    main()\nexcept SystemExit:\n    pass"
    for code in ("import mindcorpus, mindcorpus.formats.registry", helped):
        told = python("-c", f"{code}\nimport sys\nprint('importlib.metadata' in sys.modules)",
                      cwd=tmp_path)  # fmt: skip
        assert told.endswith("False\n")


def test_what_lists_formats_loads_no_module_of_one(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom mindcorpus.formats.registry import choices\n"
        "assert 'alpaca' in choices()\n"
        "print([name for name in ('numpy', 'pyarrow', 'pydantic', 'mindcorpus_alpaca.lines') "
        "if name in sys.modules])"
    )
    assert python("-c", code, cwd=tmp_path, PYTHONPATH=with_site(installed)) == "[]\n"
