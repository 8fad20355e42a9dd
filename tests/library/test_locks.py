"""What is pinned: constraints.txt, uv.lock and requirements.txt say the same as pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from documents import ROOT, read
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT: dict[str, Any] = tomllib.loads(read("pyproject.toml"))
LOCK: dict[str, Any] = tomllib.loads(read("uv.lock"))
PACKAGES = {each["name"]: each for each in LOCK["package"]}
HOSTS = {"pypi.org", "files.pythonhosted.org"}


def pins(page: str) -> dict[str, str]:
    """Give the versions that a requirements file names, without comments, marks and hashes."""
    lines = re.findall(r"^([\w.-]+)==([\w.]+)", read(page), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def urls(value: Any) -> Iterator[str]:
    """Give every address that stands in the lock."""
    if isinstance(value, str):
        if "://" in value:
            yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from urls(each)
    elif isinstance(value, list):
        for each in value:
            yield from urls(each)


def files_of(package: dict[str, Any]) -> list[dict[str, str]]:
    """Give the files of a package that the lock knows: its wheels, and its source if it has one."""
    source = [package["sdist"]] if "sdist" in package else []
    return [*package.get("wheels", []), *source]


def specified(requirements: list[str]) -> dict[str, str]:
    return {
        canonicalize_name(each.name): str(each.specifier) for each in map(Requirement, requirements)
    }


def locked(entries: list[dict[str, str]]) -> dict[str, str]:
    """Give what the lock says that somebody asks for, as specifiers are written."""
    return {
        each["name"]: str(Requirement(f"x{each.get('specifier', '')}").specifier)
        for each in entries
        if "extra ==" not in each.get("marker", "")
    }


def test_the_lock_was_made_of_this_project() -> None:
    metadata = PACKAGES["mindcorpus"]["metadata"]
    project = PROJECT["project"]
    assert LOCK["requires-python"] == project["requires-python"]
    assert locked(metadata["requires-dist"]) == specified(project["dependencies"])
    extras = project["optional-dependencies"]
    assert set(metadata["provides-extras"]) == set(extras)
    for extra, wanted in extras.items():
        of_it = [
            {**each, "marker": ""}
            for each in metadata["requires-dist"]
            if f"extra == '{extra}'" in each.get("marker", "")
        ]
        assert locked(of_it) == specified(wanted)
    asked = locked(metadata["requires-dev"]["dev"])
    assert asked == specified(PROJECT["dependency-groups"]["dev"])


def test_the_lock_has_the_versions_of_the_constraints() -> None:
    constraints = pins("constraints.txt")
    versions = {name: each.get("version") for name, each in PACKAGES.items()}
    assert len(versions) == len(LOCK["package"])  # one for every system and Python
    assert {name: versions.get(name) for name in constraints} == constraints


def test_what_the_lock_names_has_hashes_and_comes_from_pypi() -> None:
    for name, package in PACKAGES.items():
        if name != "mindcorpus":
            files = files_of(package)
            assert files, name
            assert all(each["hash"].startswith("sha256:") for each in files), name
    assert {urlsplit(url).hostname for url in urls(LOCK)} == HOSTS


def test_the_requirements_are_those_of_the_lock_with_their_hashes() -> None:
    text = read("requirements.txt")
    wanted = pins("requirements.txt")
    assert "://" not in text
    assert {name: PACKAGES[name]["version"] for name in wanted} == wanted
    assert set(specified(PROJECT["project"]["dependencies"])) <= set(wanted)
    entries = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(wanted)
    for entry in entries:
        name = canonicalize_name(entry.partition("==")[0])
        package = PACKAGES[name]
        files = files_of(package)
        hashes = set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", entry))
        assert hashes == {each["hash"] for each in files}, name


def test_the_requirements_are_complete() -> None:
    # pip with --require-hashes takes nothing that is not named.
    wanted = set(pins("requirements.txt"))
    named = {each["name"] for name in wanted for each in PACKAGES[name].get("dependencies", [])}
    only_elsewhere = {
        each["name"]
        for name in wanted
        for each in PACKAGES[name].get("dependencies", [])
        if "emscripten" in each.get("marker", "")
    }
    assert named - wanted <= only_elsewhere
    assert (ROOT / "requirements.txt").read_text("utf-8").endswith("\n")
