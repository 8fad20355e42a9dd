"""The gate before a public push: every source of the rows must let its copies be handed on."""

from __future__ import annotations

from mindcorpus.errors import LicenceError
from mindcorpus.pushing.parcels import Parcel
from mindcorpus.storage.licences import kept

_WORDS = {"forbidden": "forbids it", "unknown": "is not known to allow it"}


def refuse_what_is_not_to_be_public(parcel: Parcel) -> None:
    """Raise `LicenceError` unless all licences allow that others are given copies.

    What a licence does not say is no permission, nor is an entry that says nothing of it.
    """
    held = {
        source["name"]: f"{source['licence']['id']} {_WORDS[said]}"
        for source in kept(parcel.manifest)
        if (said := source["licence"].get("redistribution", "unknown")) != "allowed"
    }
    if not held:
        return
    without = " ".join(f"--exclude {name}" for name in held)
    command = "merge" if parcel.kind == "corpus" else f"prepare {parcel.kind}"
    told = "; ".join(f"{name} ({why})" for name, why in held.items())
    raise LicenceError(
        f"not to be made public, for the licence of {told}",
        hint=f"Leave out what it is about with `mindcorpus {command} {without}`, or push it to a "
        "private place, without --public. Where a source's terms do allow it, say so in its entry: "
        'redistribution = "allowed".',
    )
