"""Remedies in the words of who sends requests: fields and routes of the API, no options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mindcorpus import remedies
from mindcorpus.remedies import Remedy, apart, joined, worded

REQUESTS: Mapping[type[Remedy], str] = {
    remedies.Replace: 'Send it with "force": true.',
    remedies.Remake: 'Make the artifact again: ask for it with "force": true, for the corpus '
    'with "rehash": true as well.',
    remedies.Merge: "Merge first: POST /api/ai/data/merge.",
    remedies.Prepare: "Prepare it first: POST /api/ai/data/prepare.",
    remedies.AllowLoss: 'If that is meant, say so: "allow_loss": {{"{source}": {share}}}.',
    remedies.AllowMissing: 'Or merge without what fails: "allow_missing": true.',
    remedies.ChooseSources: 'Look at "sources", "exclude" and "commercial_only".',
    remedies.ChooseOthers: 'Look at "sources", "exclude" and what failed.',
    remedies.ChooseRecords: 'Look at "sources", "exclude", "types", "tags", "min_words", '
    '"max_words", "max_tokens", "caps" and "mix".',
    remedies.LeaveOut: 'Leave its source out with "exclude".',
    remedies.Avoid: 'Merge with "exclude": ["{source}"] or "commercial_only": true to avoid it.',
    remedies.Cap: 'Prepare with "caps": {{"{source}": {rows}}} or "exclude": ["{source}"].',
    remedies.PrepareWithout: 'Prepare with "exclude": ["{source}"].',
    remedies.MixLess: 'Give {source} a smaller factor in "mix".',
    remedies.OwnCopy: "Or have whoever runs the service put a copy of their own in its place.",
    remedies.NameCopy: "Or have whoever runs the service do so.",
    remedies.Upgrade: 'Merge with "upgrade": ["{source}"].',
    remedies.MoveLock: 'A lock is moved with "upgrade": ["{source}"].',
    remedies.FollowCatalog: 'Accept the catalogue\'s with "upgrade": ["{source}"].',
    remedies.DropRevision: 'Leave it out of "revisions".',
    remedies.OtherFolder: "Have whoever runs the service choose another folder.",
    remedies.LessMemory: "Whoever runs the service can give it fewer workers, or a larger machine.",
    remedies.SeeTags: "They stand in `by_tag` of /api/ai/data/statistics.",
    remedies.SeeRecords: "They stand under /api/ai/data/records.",
}


def in_answers(hint: str, remedy: Remedy | None) -> dict[str, Any]:
    """Give what an answer tells of what to do: the `hint` as a whole, and the `remedy` as values.

    The remedy says with which `words` the hint ends, for who has words of their own.
    """
    whole = joined(hint, worded(remedy, REQUESTS))
    if remedy is None:
        return {"hint": whole, "remedy": None}
    return {"hint": whole, "remedy": {**remedy.as_dict(), "words": whole[len(hint) :].lstrip()}}


def as_answered(values: dict[str, Any]) -> dict[str, Any]:
    """Give a job, or an event of one, with what there is to do about its error in our words."""
    error = values.get("error")
    if error is None:
        return values
    return {**values, "error": {**error, **in_answers(*apart(error))}}
