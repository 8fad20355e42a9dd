"""Remedies in the words of who types commands, and of who calls functions.

Not the command line's alone: what manifests say of sources and mixtures has these words too, so a
letter changed here changes the bytes of artifacts.
"""

from __future__ import annotations

from collections.abc import Mapping

from mindcorpus import remedies
from mindcorpus.remedies import Remedy, worded

COMMANDS: Mapping[type[Remedy], str] = {
    remedies.Replace: "Replace it with --force.",
    remedies.Remake: "Make the artifact again with --force, the corpus with --force --rehash.",
    remedies.Merge: "Make it with `mindcorpus merge`.",
    remedies.Prepare: "Make it with `mindcorpus prepare {format}`.",
    remedies.AllowMissing: "Or publish without what failed: --allow-missing.",
    remedies.AllowLoss: "If that is meant, say so with --allow-loss {source}={share}.",
    remedies.ChooseSources: "Look at --source, --exclude and --commercial-only.",
    remedies.ChooseOthers: "Look at --source, --exclude and what failed.",
    remedies.ChooseRecords: "Look at --source, --exclude, --type, --tag, --min-words, "
    "--max-words, --max-tokens, --cap and --mix.",
    remedies.LeaveOut: "Leave its source out with --exclude.",
    remedies.Avoid: "Merge with --exclude {source} or --commercial-only to avoid it.",
    remedies.Cap: "Prepare with --cap {source}={rows} or --exclude {source}.",
    remedies.PrepareWithout: "Prepare with --exclude {source}.",
    remedies.MixLess: "Give {source} a smaller factor with --mix.",
    remedies.OwnCopy: "Or use a copy of your own with --path {source}=FOLDER.",
    remedies.NameCopy: "Or name it with --path {source}=FOLDER.",
    remedies.Upgrade: "Merge with --upgrade {source}.",
    remedies.MoveLock: "A lock is moved with --upgrade {source}.",
    remedies.FollowCatalog: "Accept the catalogue's with --upgrade {source}.",
    remedies.DropRevision: "Leave out --revision.",
    remedies.OtherFolder: "Choose another folder with --data-dir.",
    remedies.LessMemory: "Try --workers 1, or a larger machine.",
    remedies.SeeTags: "`mindcorpus stats` lists the tags.",
    remedies.SeeRecords: "`mindcorpus browse` shows them.",
}
_FUNCTIONS = {**COMMANDS, remedies.Replace: "Replace it with --force (force=True in Python)."}


def in_commands(remedy: Remedy | None) -> str:
    """Say what to type."""
    return worded(remedy, COMMANDS)


def in_python(remedy: Remedy | None) -> str:
    """Say what to type, or to call."""
    return worded(remedy, _FUNCTIONS)
