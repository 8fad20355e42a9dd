"""A process of ours starts no threads that nobody needs; that of who imports us stays theirs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_VARIABLES = ("OPENBLAS_NUM_THREADS", "PYDANTIC_DISABLE_PLUGINS")
_TELL = (
    "import gc, os, threading; "
    "print(len(os.listdir('/proc/self/task')), gc.get_threshold()[0], "
    f"*(os.environ.get(name) for name in {_VARIABLES}))"
)
_COMMAND = (
    "import click\nfrom mindcorpus.cli.main import run\n"
    f"def tell():\n    import numpy\n    {_TELL}\n"
    "run(click.Command('x', callback=tell), 'x')"
)
_LIBRARY = f"import mindcorpus.api, mindcorpus.cli.main\n{_TELL}"


def told(program: str, **given: str) -> list[str]:
    """Run a program that tells threads, threshold and variables of its process."""
    mine = {name: text for name, text in os.environ.items() if name not in _VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**mine, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="tells no threads")
def test_a_command_has_one_thread_though_it_loads_numpy() -> None:
    threads, threshold, blas, plugins = told(_COMMAND)
    assert (threads, blas, plugins) == ("1", "1", "__all__")
    assert int(threshold) > 10_000


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="tells no threads")
def test_what_somebody_set_stays() -> None:
    _, _, blas, plugins = told(_COMMAND, OPENBLAS_NUM_THREADS="2", PYDANTIC_DISABLE_PLUGINS="none")
    assert (blas, plugins) == ("2", "none")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="tells no threads")
def test_the_library_changes_nothing_of_who_imports_it() -> None:
    _, threshold, blas, plugins = told(_LIBRARY)
    _, untouched, *_ = told(_TELL)
    assert (blas, plugins, threshold) == ("None", "None", untouched)


@pytest.mark.parametrize(
    "program", ["mindcorpus.cli.main", "mindcorpus.inspection.__main__", "workers.execution.runner"]
)
def test_programs_of_ours_load_nothing_large_before_they_begin(program: str) -> None:
    tell = f"import sys, {program} as program; "
    tell += "print(program.own_process.__name__, 'numpy' in sys.modules)"
    assert told(tell) == ["mindcorpus.execution.own_process", "False"]
