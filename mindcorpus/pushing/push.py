"""push(): check an artifact, ask its licences, send it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mindcorpus.progress import Cancellation, Reporter, silent
from mindcorpus.pushing.parcels import packed
from mindcorpus.pushing.targets import Repository, read_target
from mindcorpus.settings import Settings
from mindcorpus.storage.store import Store


@dataclass(frozen=True)
class PushResult:
    """What was sent, and where it is now."""

    kind: str
    """`corpus`, or the format."""
    build: str
    address: str
    """Of the repository's page, or of the folder that this push made."""
    rows: int
    files: int
    bytes: int
    public: bool | None
    """Whether a repository can be read by all; None of a storage, which alone knows."""
    commit: str | None
    """That of the repository which holds it; None of a storage."""
    changed: bool
    """False if the repository held all of it already."""

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return asdict(self)


def push(
    target: str,
    kind: str,
    settings: Settings,
    report: Reporter = silent,
    cancel: Cancellation | None = None,
    *,
    public: bool = False,
) -> PushResult:
    """Send the current artifact of a kind to a target: all of it, or nothing that anybody sees.

    `public` says that others may read it there. Raises `SettingsError`, what `packed` raises,
    `ExistsError` where other things are in the way, `PushDeniedError` and other `PushError`s,
    `CancelledError`.
    """
    cancel = cancel or Cancellation()
    where = read_target(target)
    store = Store(settings.data_dir)
    if isinstance(where, Repository):
        # Late: who pushes to a folder does not load the hub's client.
        from mindcorpus.pushing.hub_asking import require_token

        require_token()
    with packed(store, kind, report, cancel, public=public) as parcel:
        told = {
            "kind": kind,
            "build": parcel.build,
            "rows": parcel.manifest["rows"],
            "files": len(parcel.files),
            "bytes": parcel.bytes,
        }
        if isinstance(where, Repository):
            from mindcorpus.pushing.hub import send_to_hub

            sent = send_to_hub(parcel, where, settings, report, cancel, public=public)
            return PushResult(
                address=sent.address,
                public=sent.public,
                commit=sent.commit,
                changed=sent.changed,
                **told,
            )
        from mindcorpus.pushing.places import send_to_place

        address = send_to_place(parcel, where, report, cancel)
        return PushResult(address=address, public=None, commit=None, changed=True, **told)
