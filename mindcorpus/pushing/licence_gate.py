"""The gate before a public push: every source of the rows must let its copies be handed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mindcorpus.errors import LicenceError
from mindcorpus.storage.licences import kept

_WORDS = {"forbidden": "forbids it", "unknown": "is not known to allow it"}


def refuse_what_is_not_to_be_public(kind: str, manifest: Mapping[str, Any]) -> None:
    """Raise `LicenceError` unless all licences of an artifact's sources let copies be handed on.

    What a licence does not say is no permission, nor is an entry that says nothing of it.
    """
    held = {
        source["name"]: f"{source['licence']['id']} {_WORDS[said]}"
        for source in kept(manifest)
        if (said := source["licence"].get("redistribution", "unknown")) != "allowed"
    }
    if not held:
        return
    without = " ".join(f"--exclude {name}" for name in held)
    command = "merge" if kind == "corpus" else f"prepare {kind}"
    told = "; ".join(f"{name} ({why})" for name, why in held.items())
    raise LicenceError(
        f"others may not be given this: {told}",
        hint=f"Leave these sources out with `mindcorpus {command} {without}`, or push it to where"
        " others cannot read it, without --public. Where the terms of a source of your own allow"
        ' it, its entry says so: redistribution = "allowed".',
    )
