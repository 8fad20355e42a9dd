"""What mends an error, as values: each face of the project has its own words for it.

An error carries a `Remedy`; who types commands is told of an option, who sends requests of a field,
who presses buttons of a box to tick. A kind and its values stay the same on the way through Redis
and HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Remedy:
    """The root of all remedies; `kind` is the stable name of one.

    A kind that says no more than its name is the same dataclass: each further one that Python makes
    costs every start a quarter of a millisecond.
    """

    kind: ClassVar[str] = ""

    def as_dict(self) -> dict[str, Any]:
        """Give the remedy as JSON values: its kind and what it says more."""
        return {"kind": self.kind, **vars(self)}


class Replace(Remedy):
    """Say that what is there may be replaced."""

    kind = "replace"


class Remake(Remedy):
    """Make a damaged artifact again, in place of what is there."""

    kind = "remake"


class Merge(Remedy):
    """Make the corpus, which is not there yet."""

    kind = "merge"


@dataclass(frozen=True)
class Prepare(Remedy):
    """Make a training format, which is not there yet."""

    kind = "prepare"
    format: str


class AllowMissing(Remedy):
    """Merge without the sources that fail."""

    kind = "allow-missing"


@dataclass(frozen=True)
class AllowLoss(Remedy):
    """Say that a source may lose so large a share of its rows."""

    kind = "allow-loss"
    source: str
    share: str


class ChooseSources(Remedy):
    """Choose other sources."""

    kind = "choose-sources"


class ChooseOthers(Remedy):
    """Choose other sources than those that failed."""

    kind = "choose-others"


class ChooseRecords(Remedy):
    """Choose more of the records."""

    kind = "choose-records"


class LeaveOut(Remedy):
    """Merge without the source that the error names."""

    kind = "leave-out"


@dataclass(frozen=True)
class Avoid(Remedy):
    """Merge without a source for the sake of its licence, or without all like it."""

    kind = "avoid"
    source: str


@dataclass(frozen=True)
class Cap(Remedy):
    """Prepare with fewer records of a source, or without it."""

    kind = "cap"
    source: str
    rows: int


@dataclass(frozen=True)
class PrepareWithout(Remedy):
    """Prepare without a source."""

    kind = "prepare-without"
    source: str


@dataclass(frozen=True)
class MixLess(Remedy):
    """Prepare with a smaller factor of a source that a mixture repeats: caps count no repeats."""

    kind = "mix-less"
    source: str


@dataclass(frozen=True)
class OwnCopy(Remedy):
    """Read a copy of one's own in place of a source's home."""

    kind = "own-copy"
    source: str


@dataclass(frozen=True)
class NameCopy(Remedy):
    """Name where one's own copy of a source without a home is."""

    kind = "name-copy"
    source: str


@dataclass(frozen=True)
class Upgrade(Remedy):
    """Merge with what a source's origin holds now, whatever the lock says."""

    kind = "upgrade"
    source: str


@dataclass(frozen=True)
class MoveLock(Remedy):
    """Lock another commit of a source than one that is gone."""

    kind = "move-lock"
    source: str


@dataclass(frozen=True)
class FollowCatalog(Remedy):
    """Read a source where the catalogue says, not where the lock does."""

    kind = "follow-catalog"
    source: str


class DropRevision(Remedy):
    """Ask for no revision of a source that has none."""

    kind = "drop-revision"


class OtherFolder(Remedy):
    """Keep the data in another folder."""

    kind = "other-folder"


class LessMemory(Remedy):
    """Use less memory, or have more."""

    kind = "less-memory"


class SeeTags(Remedy):
    """Look at the tags that there are."""

    kind = "see-tags"


class SeeRecords(Remedy):
    """Look at the rows that there are."""

    kind = "see-records"


@dataclass(frozen=True)
class Either(Remedy):
    """Several remedies, each of which will do."""

    kind = "either"
    remedies: tuple[Remedy, ...]

    def as_dict(self) -> dict[str, Any]:
        """Give the remedy as JSON values: the kind, and those that it stands for."""
        return {"kind": self.kind, "remedies": [one.as_dict() for one in self.remedies]}


def kinds(root: type[Remedy] = Remedy) -> Iterator[type[Remedy]]:
    """Give every kind of remedy."""
    for kind in root.__subclasses__():
        yield kind
        yield from kinds(kind)


def from_dict(values: object) -> Remedy | None:
    """Make a remedy of JSON values; None for null, and for what another version may have sent."""
    if not isinstance(values, Mapping):
        return None
    if values.get("kind") != Either.kind:
        return _one(values)
    listed = values.get("remedies")
    found = [_one(one) for one in listed] if isinstance(listed, list) else []
    known = tuple(one for one in found if one is not None)
    return Either(known) if known and len(known) == len(found) else None


def _one(values: object) -> Remedy | None:
    if not isinstance(values, Mapping):
        return None
    named = {kind.kind: kind for kind in kinds() if kind is not Either}
    kind = named.get(str(values.get("kind")))
    if kind is None:
        return None
    given = {field.name: values.get(field.name) for field in fields(kind)}
    # Annotations are text here: `str` or `int`.
    right = all(type(given[field.name]).__name__ == field.type for field in fields(kind))
    return kind(**given) if right else None


def with_more(remedy: Remedy | None, more: Remedy) -> Remedy:
    """Give a remedy that says one more thing that will do."""
    if remedy is None:
        return more
    return Either((*(remedy.remedies if isinstance(remedy, Either) else (remedy,)), more))


def worded(remedy: Remedy | None, words: Mapping[type[Remedy], str]) -> str:
    """Put a remedy into the words of a face, which has a sentence for each kind; "" for None."""
    if remedy is None:
        return ""
    if isinstance(remedy, Either):
        return " ".join(worded(one, words) for one in remedy.remedies)
    return words[type(remedy)].format_map(vars(remedy))


def joined(hint: str, words: str) -> str:
    """Put a hint before the words of a remedy: two sentences, or one that the hint has begun."""
    if hint and not hint.endswith("."):
        words = continuing(words)
    return f"{hint} {words}".strip()


def continuing(words: str) -> str:
    """Give a sentence as it stands after the beginning of another one."""
    return f"{words[:1].lower()}{words[1:]}"


def apart(told: Mapping[str, Any]) -> tuple[str, Remedy | None]:
    """Take an error's hint apart that a service told: what stands for itself, and the remedy.

    The other way round of `joined`: a service names the `words` that its hint ends with.
    """
    hint = told.get("hint")
    hint = hint if isinstance(hint, str) else ""
    remedy = from_dict(told.get("remedy"))
    if remedy is None:
        return hint, None
    return hint.removesuffix(str(told["remedy"].get("words", ""))).rstrip(), remedy
