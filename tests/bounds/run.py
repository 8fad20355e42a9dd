"""The bounds of pyproject.toml, tried: `make test-bounds`.

For each Python that is found, environments with the newest and with the lowest versions that the
bounds allow merge and prepare the sample; what they publish is compared with what this environment,
which has the pinned versions, publishes. The lowest also runs the tests of what a hub and a service
get wrong, and so does one with the hub's client that trainers have. Environments lie in
build/bounds, and are made anew.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build/bounds"
UV = Path(sys.executable).with_name("uv")
PYTHONS = ("3.11", "3.12", "3.13")
#: Of these, what the bounds allow is resolved, and nothing run.
RESOLVED_ONLY = ("3.14",)
#: What trainers hold the hub's client to, through transformers.
TRAINERS_HUB = "huggingface-hub<2"
#: The environments that run tests, too: both have the hub's client of 1.x.
TESTED = ("lowest", "newest-hub-1")
TESTS = (
    "test_hub.py",
    "test_hub_configs.py",
    "test_host_verdicts.py",
    "test_fetching.py",
    "test_resuming.py",
    "test_downloads.py",
    "test_client.py",
    "test_job_events.py",
    "test_encodings.py",
)
#: What these tests need of the groups dev and service.
NEEDED = (
    *("apiflask", "flask", "flask-httpauth", "flask-limiter", "hypothesis", "packaging"),
    *("prometheus-client", "psutil", "pytest", "pytest-xdist", "pyyaml", "redis"),
    *("standardwebhooks", "structlog", "trustme", "waitress"),
)
#: They repeat the sums of the corpus's Parquet files.
_TELLING = {"manifest.json", "README.md", "state.json"}


@dataclass(frozen=True)
class Environment:
    """Where an environment is, and what is installed in it."""

    name: str
    folder: Path
    pins: dict[str, str]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin/python"


def found(version: str) -> str | None:
    """Give the path of a Python of some version, also of one that pyenv has and does not show."""
    asked = _uv("python", "find", "--no-python-downloads", "--system", version, check=False)
    if asked.returncode == 0:
        return asked.stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return next(map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python3"))), None)


def resolved(python: str, resolution: str, *pins: str) -> dict[str, str]:
    """Give the versions of all that the project needs, by the resolution and with the pins.

    Only wheels are taken: what has none for a Python never ran with it.
    """
    done = _uv(
        *("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary", ":all:"),
        *("--python-version", python, "--resolution", resolution, "pyproject.toml"),
        *(("--constraints", "-") if pins else ()),
        given="\n".join(pins),
    )
    lines = (Requirement(line) for line in done.stdout.splitlines())
    return {line.name: next(iter(line.specifier)).version for line in lines}


def made(name: str, python: str, pins: dict[str, str], wheel: Path) -> Environment:
    """Make an environment with these versions, and mindcorpus as it is built."""
    environment = Environment(name, HOME / name, pins)
    _uv("venv", "--quiet", "--clear", "--python", python, str(environment.folder))
    _install(environment, *(f"{each}=={version}" for each, version in pins.items()))
    _install(environment, "--no-deps", str(wheel))
    return environment


def published(python: Path, name: str) -> dict[str, Any]:
    """Have an environment merge and prepare the sample; gives what it published."""
    folder = HOME / f"{name}-data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    script = Path(__file__).with_name("published.py")
    done = subprocess.run(
        [str(python), str(script), str(folder)], stdout=subprocess.PIPE, check=False, env=_bare()
    )
    if done.returncode:
        sys.exit(f"{name} publishes nothing")
    return dict(json.loads(done.stdout))


def differences(pinned: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Name the files that are not what they are with the pinned versions.

    With the same pyarrow every byte has to be the same. Another writes Parquet in other bytes, so
    that the rows are compared, of Croissant what it says beside sums, and nothing of the other
    files that repeat Parquet's sums.
    """
    left, right = dict(pinned["files"]), dict(other["files"])
    if pinned["versions"]["pyarrow"] != other["versions"]["pyarrow"]:
        left |= pinned["rows"]
        right |= other["rows"]
        telling = {name for name in left if Path(name).name in _TELLING}
        left |= dict.fromkeys(telling, "")
        right |= dict.fromkeys(telling & right.keys(), "")
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def tested(environment: Environment) -> bool:
    """Run the tests of the hub's and the service's faults in an environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    named = (
        project["dependency-groups"]["dev"] + project["project"]["optional-dependencies"]["service"]
    )
    direct = {Requirement(each).name for each in project["project"]["dependencies"]}
    pins = [f"{name}=={environment.pins[name]}" for name in sorted(direct)]
    _install(environment, *(each for each in named if Requirement(each).name in NEEDED), *pins)
    tests = [f"tests/library/{name}" for name in TESTS]
    arguments = ("-m", "pytest", "--quiet", "--numprocesses", "auto", "-p", "no:cacheprovider")
    done = subprocess.run([environment.python, *arguments, *tests], cwd=ROOT, check=False)
    return done.returncode == 0


def main() -> None:
    """Try everything, telling what each gave; exit code 1 if something is not as it should be."""
    began = time.monotonic()
    _uv("build", "--quiet", "--wheel", "--out-dir", str(HOME / "wheel"))
    (wheel,) = (HOME / "wheel").glob("*.whl")
    pinned = published(Path(sys.executable), "pinned")
    arrow = f"pyarrow=={pinned['versions']['pyarrow']}"
    _tell("pinned", pinned, [])
    right = True
    to_test = []
    for version in PYTHONS:
        python = found(version)
        if python is None:
            _say(f"Python {version}: not found here\n")
            continue
        chosen = {
            "newest": resolved(version, "highest"),
            "lowest": resolved(version, "lowest-direct"),
            "lowest-pinned-pyarrow": resolved(version, "lowest-direct", arrow),
        }
        if version == PYTHONS[0]:
            chosen["newest-hub-1"] = resolved(version, "highest", TRAINERS_HUB)
        for kind, pins in chosen.items():
            environment = made(f"{version}-{kind}", python, pins, wheel)
            other = published(environment.python, environment.name)
            wrong = differences(pinned, other)
            _tell(environment.name, other, wrong)
            right = right and not wrong
            if version == PYTHONS[0] and kind in TESTED:
                to_test.append(environment)
    for version in RESOLVED_ONLY:
        count = len(resolved(version, "highest")), len(resolved(version, "lowest-direct"))
        _say(f"Python {version}: resolved only, {count[0]} packages newest, {count[1]} lowest\n")
    for environment in to_test:
        _say(f"tests in {environment.name}:\n")
        right = tested(environment) and right
    _say(f"{'all as it should be' if right else 'NOT as it should be'}, ")
    _say(f"{time.monotonic() - began:.0f} s\n")
    sys.exit(not right)


def _install(environment: Environment, *wanted: str) -> None:
    _uv("pip", "install", "--quiet", "--python", str(environment.python), *wanted)


def _uv(*arguments: str, given: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = (str(UV), "--no-config", *arguments)
    done = subprocess.run(
        command, cwd=ROOT, input=given, capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done


def _bare() -> dict[str, str]:
    """Give our environment variables, without what would change what is made or loaded."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MINDCORPUS_")}
    kept.pop("PYTHONPATH", None)
    return kept


def _tell(name: str, other: dict[str, Any], wrong: Sequence[str]) -> None:
    versions = ", ".join(f"{each} {version}" for each, version in other["versions"].items())
    said = f"differs: {', '.join(wrong)}" if wrong else f"{len(other['files'])} files as pinned"
    _say(f"{name}: {said} ({versions})\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
