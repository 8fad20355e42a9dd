"""The package with a format of its own that the docs show, built and installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from command_line import environment
from documents import ROOT

EXAMPLE = ROOT / "tests" / "example_format"


def python(*arguments: object, cwd: Path, **env: str) -> str:
    """Run an interpreter to its end; give what it prints."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment(PIP_ROOT_USER_ACTION="ignore", **env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def with_site(site: Path) -> str:
    """Give the path of modules on which there is another folder."""
    return os.pathsep.join((str(site), environment()["PYTHONPATH"]))


def install(home: Path) -> Path:
    """Build the package in a folder, and install it there; give where its modules are."""
    shutil.copytree(EXAMPLE, home / "source", ignore=shutil.ignore_patterns("__pycache__"))
    build = ("build", "--no-isolation", "--wheel", "--outdir", home, home / "source")
    python("-m", *build, cwd=home)
    (wheel,) = home.glob("*.whl")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index")
    python("-m", "pip", "install", *quiet, "--target", home / "site", wheel, cwd=home)
    return home / "site"
