"""A training format as everybody may know it, without loading its module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mindcorpus.storage.kinds import CARD, CROISSANT, LINEAGE, MANIFEST, ArtifactKind


@dataclass(frozen=True)
class FormatEntry:
    """What everybody may know of a format: forms, job titles, cards, choices, paths."""

    name: str
    title: str
    """Of forms, job titles and cards."""
    summary: str
    """One sentence beside it."""
    artifact: str
    """The name of its file, without ending, or of its folder."""
    use: str
    """What to do with it: `{path}` is its path, `{python}` and `{shell}` the same quoted."""
    task: str = "fine-tuning"
    """What it is for: `fine-tuning`, `preference` or `annotation`."""
    readers: tuple[str, ...] = ()
    """Who reads it with code of theirs; of the project's own formats, tests/consumers runs it."""
    others: tuple[str, ...] = ()
    """Who else takes it by what they publish, without any of their code being run."""
    proof: Literal["loader", "schema", "none"] = "none"
    """How that it is read is proved: by the readers' own loaders, by a schema of a provider's page.
    """
    divided: str = ""
    """Of a format that is one file of all parts: the one that has the same lines, split."""
    snippet: str = ""
    """What loads it and trains on it, to be copied: Python, or commands of a shell.

    `{python}` is its path as a string of Python, `{shell}` as a word of a shell, `{path}` as it
    is; other braces are doubled.
    """
    settings: tuple[str, ...] = ()
    """Fields of a `PrepareRequest` that shape it, beside the selection and the seed."""
    carries: tuple[str, ...] = ()
    """What of a conversation it can hold: words of `conversations.HOLDS`; none: the flat view."""
    prompted: bool = False
    """Whether each record has a system message: where it has none itself the configured one."""
    suffix: str = ".jsonl"
    """The ending of its file; "" for a folder."""
    in_all: bool = False
    """Whether it belongs to `all`."""
    module: str = ""
    """Where its `Format` is; by default the module of its name here, with `_` for `-`."""

    def __post_init__(self) -> None:
        if not self.module:
            object.__setattr__(self, "module", f"{__package__}.{self.name.replace('-', '_')}")

    @property
    def path(self) -> str:
        """Its file or folder, within the data folder."""
        return f"{self.artifact}{self.suffix}"

    @property
    def kind(self) -> ArtifactKind:
        """How it is kept and found."""
        files = (f"{self.artifact}{self.suffix}", f"{self.artifact}.manifest.json")
        links = {self.artifact: ""}
        if self.suffix:
            links = {
                files[0]: files[0],
                files[1]: MANIFEST,
                f"{self.artifact}.README.md": CARD,
                f"{self.artifact}.{LINEAGE}": LINEAGE,
                f"{self.artifact}.croissant.json": CROISSANT,
            }
        return ArtifactKind(self.name, self.title, links, expected=self.in_all)
