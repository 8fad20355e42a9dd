"""What a run of the bench is to measure, for how long, and on which corpus."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from bench.generate import generate
from bench.mindcorpus_job import source_folders
from bench.plain_copy import sizes

SECTIONS = (
    *("post", "get", "progress", "events", "streams"),
    *("recovery", "messages", "slow", "scaling", "memory"),
)


@dataclass(frozen=True)
class Plan:
    """One run: `corpus` is a folder of `bench.generate`, `work` a folder for all that is made."""

    corpus: Path
    work: Path
    seconds: float = 20.0
    rounds: int = 3
    jobs: int = 2_000
    """Small jobs of the section `memory`."""
    clients: int = 400
    """Readers, and writers, of the section `slow`."""
    only: Sequence[str] = SECTIONS

    @property
    def catalog(self) -> Path:
        """The catalogue file by which the service finds the corpus."""
        return self.work / "catalog.toml"


def prepare(plan: Plan, size: int) -> None:
    """Make the corpus if there is none, read it once, and write the catalogue that names it."""
    if not plan.corpus.exists():
        plan.corpus.parent.mkdir(parents=True, exist_ok=True)
        generate(plan.corpus, size)
    for name in sizes(plan.corpus):
        with (plan.corpus / name).open("rb") as file:
            while file.read(1 << 20):
                pass
    plan.work.mkdir(parents=True, exist_ok=True)
    plan.catalog.write_text(_catalog(plan.corpus.absolute()), encoding="utf-8")


def _catalog(corpus: Path) -> str:
    """Give the project's own entries under other names, their files in a folder of this disk.

    So a service reads a user's files: no hub is asked, nothing is downloaded.
    """
    folders = source_folders(corpus)
    entries = resources.files("mindcorpus.sources.catalog")
    files = sorted(entry.name for entry in entries.iterdir() if entry.name.endswith(".toml"))
    texts = []
    for file, (name, folder) in zip(files, folders.items(), strict=True):
        text = (entries / file).read_text("utf-8")
        text, named = re.subn(rf'(?m)^name = "{name}"$', f'name = "{renamed(name)}"', text)
        assert named == 1, f"{file} is not the entry of {name}"
        home = re.search(r"(?m)^(repository|path) = .*$", text)
        assert home is not None, f"{file} has no home"
        texts.append(text.replace(home[0], f'path = "{folder}"', 1))
    return "\n".join(texts)


def renamed(name: str) -> str:
    """Give the name of a source in the bench's catalogue."""
    return f"Bench-{name}"


def names(plan: Plan) -> list[str]:
    """Give the names of the corpus' sources in the bench's catalogue."""
    return [renamed(name) for name in source_folders(plan.corpus)]
