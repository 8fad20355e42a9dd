"""The soak, and proof that it would notice: without what keeps jobs and artifacts whole, it fails.

A minute of seed 1; `MINDCORPUS_SOAK_JOBS` has it go on until so many jobs were ordered, and
`MINDCORPUS_SOAK_SEED` takes another seed. `make soak` orders 2,000.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import Cluster
from invariants import Watcher
from mutants import mutated
from soak import soak

Build = Callable[..., tuple[Cluster, Watcher]]

SECONDS = 60.0
JOBS = int(os.environ.get("MINDCORPUS_SOAK_JOBS", "0"))
SEED = int(os.environ.get("MINDCORPUS_SOAK_SEED", "1"))
#: So often is nobody unlucky in a soak.
SETTINGS = {"max_attempts": "20", "max_tries": "20"}


def test_soak(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    cluster, watcher = build(workers=2, **SETTINGS)
    try:
        summary = soak(cluster, watcher, SECONDS, SEED, jobs=JOBS)
    except AssertionError as error:
        raise AssertionError(f"seed {SEED}: {error}") from None
    with capsys.disabled():
        print(f"\nsoak: {summary}")  # noqa: T201 - the seed repeats it
    assert summary["jobs"]["succeeded"] > SECONDS / 12
    assert sum(summary["faults"].values()) > SECONDS / 6


def test_without_the_sweeper_the_soak_fails(build: Build, tmp_path: Path) -> None:
    code = mutated(
        tmp_path / "code",
        "workers/sweeper.py",
        "messages, lost = self._claims.sweep()",
        "messages, lost = (), ()",
    )
    cluster, watcher = build(workers=2, code=code, **SETTINGS)
    with pytest.raises(AssertionError, match=r"'stuck': [1-9].*waited .* for no job to be left"):
        soak(cluster, watcher, 12, SEED, faults=("worker", "forgotten"), patience=15)


IN_PLACE = """            current = self.builds.current(kind)
            if current is not None:
                # The mutant: into the folder that readers have open.
                shutil.copytree(output, self._artifacts / current, dirs_exist_ok=True)
                return self._artifacts / current
"""


def test_with_writes_in_place_the_soak_fails(build: Build, tmp_path: Path) -> None:
    code = mutated(
        tmp_path / "code",
        "mindcorpus/storage/store.py",
        '            folder = self._artifacts / f"{kind}-{digest}"\n',
        f'{IN_PLACE}            folder = self._artifacts / f"{{kind}}-{{digest}}"\n',
    )
    cluster, watcher = build(workers=2, code=code, **SETTINGS)
    with pytest.raises(AssertionError, match=r"'torn': [1-9].*the reader saw torn artifacts"):
        soak(cluster, watcher, 12, SEED, faults=("runner", "doubled"))
