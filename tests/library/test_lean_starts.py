"""What is loaded, in all processes of a command: each module costs every start its time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_LOADED = re.compile(r"import time: .*\| +([\w.]+)$", re.MULTILINE)
ANALYSIS = {"pandas", "datasets"}
HUB = {"huggingface_hub"}
NUMBERS = {"numpy", "pyarrow"}
#: The halves of the library: who does the one needs nothing of the other.
HALVES = {
    "merge": {"mindcorpus.merging.merge", "mindcorpus.sources.catalog", "mindcorpus.sources.lock"},
    "prepare": {"mindcorpus.preparing.prepare", "mindcorpus.formats.chat_check"},
}


def loaded(folder: Path, *arguments: str) -> set[str]:
    """Run a command in a folder; gives the names of all that it and its workers import."""
    # Workers are forked, and write what they import where the command writes it.
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mindcorpus.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "MINDCORPUS_WORKERS": "2"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    return set(_LOADED.findall(done.stderr))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample's corpus and the two formats of `all`."""
    folder = tmp_path_factory.mktemp("lean")
    for arguments in (("merge", "--sample"), ("prepare",)):
        loaded(folder, *arguments)
    return folder


@pytest.mark.parametrize("command", [("merge", "--sample"), ("prepare",)], ids=" ".join)
def test_no_process_of_a_merge_or_prepare_loads_what_people_analyse_with(
    folder: Path, command: tuple[str, ...]
) -> None:
    found = loaded(folder, *command, "--force")
    assert "pyarrow" in found, "imports are not seen"
    assert found.isdisjoint(ANALYSIS | HUB)


@pytest.mark.parametrize("command", [("merge", "--sample"), ("prepare",)], ids=" ".join)
def test_a_merge_loads_nothing_of_preparing_nor_a_prepare_of_merging(
    folder: Path, command: tuple[str, ...]
) -> None:
    found = loaded(folder, *command, "--force")
    for half, modules in HALVES.items():
        assert modules & found == (modules if half == command[0] else set())


@pytest.mark.parametrize("command", ["status", "sources"])
def test_what_only_tells_loads_no_arrays(folder: Path, command: str) -> None:
    found = loaded(folder, command)
    assert "rich" in found, "imports are not seen"
    assert found.isdisjoint(ANALYSIS | HUB | NUMBERS)
    assert not [name for name in found if name.startswith("mindcorpus.report")]
    # Those who only look at what is there need no entries of sources.
    assert ("mindcorpus.sources.catalog" in found) == (command == "sources")


_TELL_FORKS = """
import os
os.register_at_fork(before=lambda: print(doing))
from mindcorpus import merge_all_datasets, prepare_all_formats
doing = "merge"
merge_all_datasets(sample=True)
doing = "prepare"
prepare_all_formats()
"""


@pytest.mark.parametrize(
    ("given", "forked"),
    [({}, set()), ({"MINDCORPUS_WORKERS": "2"}, {"merge", "prepare"})],
    ids=["by itself", "as told"],
)
def test_little_starts_no_processes_unless_it_is_told_to(
    given: dict[str, str], forked: set[str], tmp_path: Path
) -> None:
    mine = {name: text for name, text in os.environ.items() if name != "MINDCORPUS_WORKERS"}
    done = subprocess.run(
        [sys.executable, "-c", _TELL_FORKS],
        cwd=tmp_path,
        env={**mine, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == forked
