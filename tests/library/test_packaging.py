"""What is shipped: the wheel's files and commands, what importing costs, what is pinned."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from command_line import environment
from documents import ROOT, read
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from registered import SOURCES

import mindcorpus
from mindcorpus.formats.registry import FORMATS

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
HEAVY = (
    "datasets",
    "httpx",
    "httpx2",
    "huggingface_hub",
    "numpy",
    "orjson",
    "pandas",
    "pyarrow",
    "pydantic",
    "rich",
)


def python(*arguments: object, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release is, but with the backend that is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    # A source distribution, and the wheel from that.
    python("-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    package = ROOT / "mindcorpus"
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == expected
    folders = {path.relative_to(ROOT).as_posix() for path in package.rglob("*") if path.is_dir()}
    assert {"mindcorpus/sample", "mindcorpus/sources/catalog"} <= folders
    assert {"mindcorpus/py.typed", "mindcorpus/report/charts.css"} <= names
    assert sum(name.endswith(".toml") for name in names) == len(SOURCES)


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        home = f"mindcorpus-{mindcorpus.__version__}.dist-info"
        metadata = files.read(f"{home}/METADATA").decode()
        commands = files.read(f"{home}/entry_points.txt").decode()
        assert f"{home}/licenses/LICENSE" in files.namelist()
    assert f"\nVersion: {mindcorpus.__version__}\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nClassifier: Operating System :: POSIX :: Linux\n" in metadata
    assert "# mindcorpus" in metadata
    assert set(re.findall(r"^([\w-]+) =", commands, re.MULTILINE)) == {
        "mindcorpus",
        "merge-datasets",
        "prepare-all-formats",
        *(f"prepare-{name}" for name in FORMATS),
    }


def test_on_an_index_every_link_is_absolute_and_every_file_it_names_is_in_the_source(
    wheel: Path,
) -> None:
    with zipfile.ZipFile(wheel) as files:
        metadata = files.read(f"mindcorpus-{mindcorpus.__version__}.dist-info/METADATA").decode()
    fields, _, text = metadata.partition("\n\n")
    homes = re.findall(r"^Project-URL: \w+, (https://\S+)$", fields, re.MULTILINE)
    assert homes == list(PROJECT["project"]["urls"].values())
    found = re.findall(r"\]\((\S+?)(?: \"(\S+) of the source\")?\)", text)
    assert len(found) == len(re.findall(r"(?<!!)\[[^\]]+\]\(", read("README.md")))
    assert all(link.startswith("https://") for link, _ in found)
    assert "![" not in text
    (source,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(source) as files:
        held = {name.partition("/")[2] for name in files.getnames()}
    named = {path for link, path in found if link == PROJECT["project"]["urls"]["Source"]}
    assert {"LICENSE", "docs/http-api.md", "docs/installing.md"} <= named
    assert named <= held
    # Pages of the source link to one another, and show pictures.
    assert {page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/*.md")} <= held
    assert "docs/screenshots/overview-light.png" in held


def test_the_wheel_alone_merges_the_sample(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as files:
        files.extractall(home)
    env = {"PYTHONPATH": str(home)}
    where = "import mindcorpus; print(mindcorpus.__file__)"
    assert python("-c", where, cwd=tmp_path, **env).startswith(str(home))
    python("-m", "mindcorpus.cli.main", "merge", "--sample", cwd=tmp_path, **env)
    assert (tmp_path / "datasets/merged_mental_health_dataset.json").is_file()


def test_the_commands_exist(wheel: Path) -> None:
    from mindcorpus.cli import main

    with zipfile.ZipFile(wheel) as files:
        (name,) = (each for each in files.namelist() if each.endswith("/entry_points.txt"))
        targets = re.findall(r"^[\w-]+ = ([\w.]+):(\w+)$", files.read(name).decode(), re.MULTILINE)
    assert len(targets) == 3 + len(FORMATS)
    for module, function in targets:
        assert module == main.__name__
        assert callable(getattr(main, function))


def test_the_registry_of_formats_needs_nothing_that_is_installed(tmp_path: Path) -> None:
    # Where a wheel is built there is the build backend, and no more.
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import mindcorpus.formats.registry"
    assert python("-I", "-S", "-c", script, cwd=tmp_path) == ""


# Importing


@pytest.mark.parametrize("module", ["mindcorpus", "mindcorpus.cli.main"])
def test_importing_loads_nothing_heavy(module: str, tmp_path: Path) -> None:
    script = f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    assert python("-c", script, cwd=tmp_path) == "\n"


def test_every_public_name_can_be_imported(tmp_path: Path) -> None:
    script = (
        "import mindcorpus; print(all(hasattr(mindcorpus, name) for name in mindcorpus.__all__))"
    )
    assert python("-c", script, cwd=tmp_path) == "True\n"


# Dependencies


def imported_by(folder: str) -> set[str]:
    """Give the distributions outside the standard library that a folder's modules import."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    homes = packages_distributions()
    return {
        canonicalize_name(homes[name][0])
        for name in found - sys.stdlib_module_names
        if name in homes and name != "mindcorpus"
    }


def required(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def test_the_dependencies_are_what_the_package_imports() -> None:
    project = PROJECT["project"]
    named = required(project["dependencies"] + project["optional-dependencies"]["tokens"])
    assert named == imported_by("mindcorpus")


def test_the_tests_have_what_the_extra_of_the_library_has() -> None:
    extra = PROJECT["project"]["optional-dependencies"]["tokens"]
    assert set(extra) <= set(PROJECT["dependency-groups"]["dev"])


def test_the_tests_and_the_bench_import_nothing_that_is_not_named() -> None:
    project = PROJECT["project"]
    named = required(project["dependencies"] + PROJECT["dependency-groups"]["dev"])
    named |= required(project["optional-dependencies"]["service"])
    # Werkzeug is Flask's own server; workers and web are beside the package in this checkout.
    ours = {"werkzeug", "web", "workers"}
    assert imported_by("tests") | imported_by("bench") <= named | ours


def test_every_dependency_is_pinned_and_no_host_is_named() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", str(pin)) for pin in pins)
    versions = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}
    named = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    for requirement in map(Requirement, named + PROJECT["build-system"]["requires"]):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])
