"""A folder in which several processes, on any hosts, write what one of them planned.

It is the staging area of the plan, given a name that a job's record can hold. Files that the plan
laid out are written in place by all; what else a task makes, each attempt makes in a folder of its
own, and only the folder of the attempt that counted is looked at in the end. What is read beside
it, builds or parts, stays as long as the folder is there (`pins.py`).

What travels between the processes is pickled into this folder (`travelling.py`); its sha256 stands
in the job's record.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindcorpus.execution.context import JobContext
from mindcorpus.execution.worker_pool import Task
from mindcorpus.privacy import write
from mindcorpus.storage import disk
from mindcorpus.storage.pins import USES
from mindcorpus.storage.staging import Staging
from mindcorpus.storage.travelling import Places, gone, load, save

_NAMED = re.compile(r"job-([0-9a-f]{32}\.[0-9]+)")
_ATTEMPTS = "attempts"
_TASKS = "tasks"
_STATE = "state"
_RESULTS = "results"
_WORTH = 4  # parts; less text is written by one before others have begun
#: Of all writing, what parts do; checksums are the rest.
PARTS_SHARE = 0.8


@dataclass(frozen=True)
class Writers:
    """Who may write what is planned, and in which folder; the name is JOB.FENCE."""

    name: str
    count: int
    """How many there are; one is not worth a plan that travels."""
    part_bytes: int
    """Text that one part is to have."""

    def bundles(self, sizes: Sequence[int]) -> list[range]:
        """Group tasks by their bytes of text, in order, each group for one part.

        There is no group where one writer alone would be done sooner.
        """
        if self.count < 2 or sum(sizes) < _WORTH * self.part_bytes:
            return []
        found: list[range] = []
        start = held = 0
        for at, size in enumerate(sizes):
            if at > start and held + size > self.part_bytes:
                found.append(range(start, at))
                start, held = at, 0
            held += size
        found.append(range(start, len(sizes)))
        return found if len(found) > 1 else []


@dataclass(frozen=True)
class Amounts:
    """What is left to others, for who follows the job."""

    rows: int
    total: int
    """Bytes of text."""
    item: str
    """What is written."""
    stage: tuple[float, float]
    """From which to which share of the job all of its writing lasts, the seal included."""


@dataclass(frozen=True)
class Spread:
    """What is planned and left to others to write."""

    work: str
    """The name of the folder, as JOB.FENCE."""
    state: str
    """The sha256 of what the last step is to know."""
    tasks: tuple[str, ...]
    """The sha256 of each part's tasks."""
    amounts: Amounts

    def as_dict(self) -> dict[str, Any]:
        """Give JSON values for the job's record, the parts apart."""
        begin, end = self.amounts.stage
        return {
            "work": self.work,
            "state": self.state,
            "parts": len(self.tasks),
            "rows": self.amounts.rows,
            "total": self.amounts.total,
            "item": self.amounts.item,
            "from": begin,
            "to": begin + (end - begin) * PARTS_SHARE,
        }

    def parts(self) -> list[dict[str, Any]]:
        """Give JSON values for the record of each part."""
        return [
            {"work": self.work, "number": number, "sha256": sha256, "item": self.amounts.item}
            for number, sha256 in enumerate(self.tasks)
        ]


class SharedWork:
    """The folder of one plan."""

    def __init__(self, staging: Path, name: str) -> None:
        """Take the folder of that name in a store's `staging`."""
        self.name = name
        self.root = staging / f"job-{name}"

    @classmethod
    def hand_over(
        cls,
        staging: Staging,
        name: str,
        bundles: Sequence[Sequence[Task]],
        state: Any,
        amounts: Amounts,
        uses: Sequence[str],
    ) -> Spread:
        """Make a staging area, with all that was planned in it, a folder that others work in.

        `bundles` are the tasks of each part, `state` is what `gather` gives, `uses` the names of
        builds or parts of sources that are read.
        """
        root = staging.root
        places = Places(root, root, root.parent.parent)
        for folder in (_TASKS, _ATTEMPTS):
            (root / folder).mkdir(mode=0o700)
        tasks = [
            save(root / _TASKS / str(number), bundle, places)
            for number, bundle in enumerate(bundles)
        ]
        sha256 = save(root / _STATE, state, places)
        write(root / USES, json.dumps([*uses]).encode())
        for path in (staging.output, staging.scratch):
            disk.sync_all(path)
        root.rename(cls(root.parent, name).root)
        return Spread(name, sha256, tuple(tasks), amounts)

    def attempt(self, number: int, sha256: str, fence: int) -> Attempt:
        """Begin with a part; raises `ArtifactError` if its tasks are not there any more."""
        own = self.root / _ATTEMPTS / f"{number}.{fence}"
        try:
            own.mkdir(mode=0o700)
        except FileNotFoundError as error:
            raise gone() from error
        tasks = load(self.root / _TASKS / str(number), sha256, self.root, laid=self.root, own=own)
        return Attempt(own, tasks, self.root)

    def gather(
        self, staging: Staging, sha256: str, attempts: Sequence[Mapping[str, str]]
    ) -> tuple[Any, list[Any]]:
        """Bring all that was written into a staging area; give the state, and each part's results.

        `attempts` are those that counted, in the order of the parts, as `Attempt.save` gave them.
        Everything here stays as it is, for whoever tries again. Raises `ArtifactError`.
        """
        state = load(self.root / _STATE, sha256, self.root, laid=staging.root, own=staging.root)
        results = []
        for home in (self.root, *(self.root / _ATTEMPTS / each["attempt"] for each in attempts)):
            for folder in (staging.output.name, staging.scratch.name):
                _share(home / folder, staging.root / folder)
        for each in attempts:
            own = self.root / _ATTEMPTS / each["attempt"]
            path = own / _RESULTS
            root = staging.root
            results.append(load(path, each["sha256"], self.root, laid=root, own=root))
        return state, results

    def remove(self) -> None:
        """Remove it, and all that is in it."""
        shutil.rmtree(self.root, ignore_errors=True)


class Attempt:
    """One attempt at a part of the writing: its tasks, and the folder for what they make."""

    def __init__(self, own: Path, tasks: Any, root: Path) -> None:
        self.tasks = tasks
        self._own = own
        self._root = root

    def run(self, item: str, context: JobContext) -> dict[str, str]:
        """Do the tasks; gives what `SharedWork.gather` is to know of it, as JSON values.

        What an attempt made that failed is gone: the disk may be full.
        """
        try:
            return self._run(item, context)
        except BaseException:
            shutil.rmtree(self._own, ignore_errors=True)
            raise

    def _run(self, item: str, context: JobContext) -> dict[str, str]:
        items = [item] * len(self.tasks)
        # What all of it comes to the job's record knows.
        results = context.do_all("write", self.tasks, items, 0)
        places = Places(self._root, self._own, self._root)
        sha256 = save(self._own / _RESULTS, results, places)
        # On the disk before the record says that it is there.
        for path in self._root.glob("output/**/*"):
            if path.is_file():
                disk.sync(path)
        disk.sync_all(self._own)
        return {"attempt": self._own.name, "sha256": sha256}


def works_in(staging: Path) -> Iterator[SharedWork]:
    """Give the folders of a store's `staging` in which others work, or did."""
    with suppress(FileNotFoundError):
        for path in staging.iterdir():
            if found := _NAMED.fullmatch(path.name):
                yield SharedWork(staging, found[1])


def _share(source: Path, target: Path) -> None:
    """Give each file of a folder a second name in another; folders are made."""
    for home, folders, files in os.walk(source):
        there = target / Path(home).relative_to(source)
        there.mkdir(mode=0o700, exist_ok=True)
        for name in folders:
            (there / name).mkdir(mode=0o700, exist_ok=True)
        for name in files:
            _second_name(Path(home, name), there / name)


def _second_name(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system that knows none
        shutil.copyfile(source, target)
        target.chmod(0o600)
