"""Remedies in the words of who presses buttons, and what manifests tell in those of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from itertools import product
from typing import Any

from mindcorpus import remedies
from mindcorpus.command_words import in_commands
from mindcorpus.remedies import Either, Remedy, apart, continuing, joined, kinds, worded

BUTTONS: Mapping[type[Remedy], str] = {
    remedies.Replace: "Tick that it may be replaced.",
    remedies.Remake: "Make it again with a new job that may replace it, the corpus with one "
    "that reads all files anew.",
    remedies.Merge: "Make one first, under New merge.",
    remedies.Prepare: "Make it first, under New prepare.",
    remedies.AllowMissing: "Or merge again, and choose to go on without a source "
    "that cannot be had.",
    remedies.AllowLoss: "If that is meant, merge again, and allow the loss of {source}={share} "
    "under More choices.",
    remedies.ChooseSources: "Look at which ones are ticked.",
    remedies.ChooseOthers: "Look at which sources were ticked, and at what failed.",
    remedies.ChooseRecords: "Look at which sources and types are ticked, how many at most "
    "and how many times they are taken, and at tags, words and tokens.",
    remedies.LeaveOut: "Leave its source out.",
    remedies.Avoid: "To avoid it, merge without {source}, or only what products may be built on.",
    remedies.Cap: "Prepare with at most {rows:,} of {source}, or without {source}.",
    remedies.PrepareWithout: "Prepare without {source}.",
    remedies.MixLess: "Give {source} a smaller factor in the mixture.",
    remedies.OwnCopy: "Or have whoever runs the service put a copy of their own in its place.",
    remedies.NameCopy: "Or have whoever runs the service do so.",
    remedies.Upgrade: "Merge again, and read the newest revisions.",
    remedies.MoveLock: "A lock is moved by a merge that reads the newest revisions.",
    remedies.FollowCatalog: "Accept the catalogue's: merge again, and read the newest revisions.",
    remedies.DropRevision: "Take its line out of the revisions.",
    remedies.OtherFolder: "Have whoever runs the service choose another folder.",
    remedies.LessMemory: "Whoever runs the service can give it fewer workers, or a larger machine.",
    remedies.SeeTags: "The overview has them all.",
    remedies.SeeRecords: "The records' pages show them.",
}
_MARKS = ".,;:"
_LONGEST = 16


def advice_of(hint: str, remedy: Remedy | None) -> str:
    """Say what to do about an error."""
    return joined(hint, worded(remedy, BUTTONS))


def advice_told(error: Mapping[str, Any]) -> str:
    """Say what to do about an error that a job or a problem tells."""
    return advice_of(*apart(error))


def as_stored(text: str) -> str:
    """Give a sentence of a manifest, with the remedies in it that name options in our words.

    Manifests keep the words of commands. A remedy is known again by its whole sentence, made of
    each word and number that the text itself holds; what is not known again stands as it is.
    """
    for remedy in _remedies_of(text):
        words, ours = in_commands(remedy), worded(remedy, BUTTONS)
        text = text.replace(words, ours).replace(continuing(words), continuing(ours))
    return text


def _remedies_of(text: str) -> Iterator[Remedy]:
    if "--" not in text:
        return
    words = {part for word in text.split() for part in word.strip(_MARKS).split("=")}
    numbers = {int(word) for word in words if word.isascii() and _is_number(word)}
    values: Mapping[str, set[Any]] = {"str": words, "int": numbers}
    for kind in kinds():
        if kind is not Either:
            for given in product(*(values[str(field.type)] for field in fields(kind))):
                yield kind(*given)


def _is_number(word: str) -> bool:
    return word.isdecimal() and len(word) <= _LONGEST


FILTERS: Mapping[str, Callable[..., str]] = {"advice_told": advice_told, "as_stored": as_stored}
