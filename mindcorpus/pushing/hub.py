"""A push to the hub: a repository that is there or is made, one commit that holds everything.

`HfApi.upload_folder` commits in several batches where the Xet library is installed; files go up one
by one here, where nobody sees them, and `create_commit` puts all of them in their places at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.lfs import UploadInfo
from huggingface_hub.utils.tqdm import silent_tqdm

from mindcorpus._version import __version__
from mindcorpus.errors import ExistsError, PushError
from mindcorpus.progress import Cancellation, Progress, Reporter
from mindcorpus.pushing.bodies import Body
from mindcorpus.pushing.hub_asking import HubDesk, conflict
from mindcorpus.pushing.licence_gate import refuse_what_is_not_to_be_public
from mindcorpus.pushing.parcels import Parcel, ParcelFile
from mindcorpus.pushing.targets import Repository
from mindcorpus.settings import Settings
from mindcorpus.sources.hub_retries import Exchange
from mindcorpus.storage.kinds import MANIFEST

_TYPE = "dataset"
#: What the hub puts into a new repository by itself.
_ITS_OWN = frozenset({".gitattributes"})
_SAMPLE = 512  # bytes of its beginning by which the hub judges a file


@dataclass(frozen=True)
class Sent:
    """What became of a push."""

    address: str
    public: bool
    commit: str
    changed: bool


@dataclass(frozen=True)
class _State:
    """A repository as it is."""

    commit: str
    public: bool
    files: frozenset[str]


def send_to_hub(
    parcel: Parcel,
    where: Repository,
    settings: Settings,
    report: Reporter,
    cancel: Cancellation,
    *,
    public: bool,
) -> Sent:
    """Send a parcel to a repository, and make that one if there is none, private unless `public`.

    What an earlier push left there and this one has no more goes in the same commit. A repository
    that was made for a push that fails is removed again. Raises `PushDeniedError`, `PushError`,
    `ExistsError` and `CancelledError`.
    """
    return _Push(parcel, where.name, HubDesk(where.name, settings, report, cancel)).run(
        public=public
    )


class _Push:
    """One push; `desk` asks the hub, with patience."""

    def __init__(self, parcel: Parcel, repository: str, desk: HubDesk) -> None:
        self._parcel = parcel
        self._repository = repository
        self._desk = desk
        self._api = HfApi(endpoint=desk.endpoint, library_name="mindcorpus")
        self._done = 0

    def run(self, *, public: bool) -> Sent:
        found = self._desk.ask(lambda _exchange: self._look())
        stale: frozenset[str] = frozenset()
        if found is not None:
            if found.public and not public:
                refuse_what_is_not_to_be_public(self._parcel.kind, self._parcel.manifest)
                raise PushError(
                    f"{self._repository} is public",
                    hint="Push it to another repository, or say --public if all may read it.",
                )
            stale = self._stale(found)
            return self._send(found, stale)
        before = self._make(public=public)
        try:
            return self._send(before, stale)
        except BaseException:
            self._remove(before)
            raise

    def _look(self) -> _State | None:
        try:
            info = self._api.dataset_info(self._repository)
        except RepositoryNotFoundError:
            return None
        files = frozenset(sibling.rfilename for sibling in info.siblings or ())
        return _State(str(info.sha), not info.private, files)

    def _make(self, *, public: bool) -> _State:
        def make(_exchange: Exchange) -> _State | None:
            self._api.create_repo(
                self._repository, repo_type=_TYPE, private=not public, exist_ok=True
            )
            return self._look()

        made = self._desk.ask(make)
        if made is None:
            raise PushError(f"the hub made {self._repository}, and does not show it")
        if made.public and not public:
            # Somebody was faster, or the hub's settings for the owner make all repositories public.
            self._remove(made)
            raise PushError(f"{self._repository} is public", hint="Push it to another repository.")
        return made

    def _remove(self, before: _State) -> None:
        """Remove the repository that was made for this push, while it is as it was made."""

        def remove(_exchange: Exchange) -> None:
            if self._look() == before and before.files <= _ITS_OWN:
                self._api.delete_repo(self._repository, repo_type=_TYPE, missing_ok=True)

        self._desk.attempt(remove)

    def _stale(self, found: _State) -> frozenset[str]:
        """Give what the repository holds of an earlier push, and this one does not.

        Raises `ExistsError` where what it holds is not of such a push, and would be replaced.
        """
        ours = {file.path for file in self._parcel.files}
        earlier = self._desk.ask(lambda _exchange: self._earlier(found))
        if earlier is None:
            if others := sorted(ours & found.files):
                raise ExistsError(
                    f"{self._repository} holds a {others[0]} that no push left there",
                    hint="Push to a repository of its own: nothing of others is replaced.",
                )
            return frozenset()
        if earlier["kind"] != self._parcel.kind:
            raise ExistsError(
                f"{self._repository} holds the {earlier['kind']} of an earlier push",
                hint="Push to a repository of its own, or remove that one first.",
            )
        left = {output["path"] for output in earlier["outputs"]} - ours
        return frozenset(left & found.files)

    def _earlier(self, found: _State) -> Mapping[str, Any] | None:
        """Read the manifest that an earlier push left; None if there is none of ours."""
        if MANIFEST not in found.files:
            return None
        with TemporaryDirectory() as folder:
            path = self._api.hf_hub_download(
                self._repository,
                MANIFEST,
                repo_type=_TYPE,
                revision=found.commit,
                cache_dir=folder,
                tqdm_class=silent_tqdm,
            )
            try:
                manifest = json.loads(Path(path).read_bytes())
                known = manifest["tool"]["name"] == "mindcorpus" and manifest["kind"]
                _ = [output["path"] for output in manifest["outputs"]]
            except (ValueError, LookupError, TypeError):
                return None
        return manifest if known else None

    def _send(self, before: _State, stale: frozenset[str]) -> Sent:
        additions = [self._upload(file) for file in self._parcel.files]
        deletions = [CommitOperationDelete(path) for path in sorted(stale)]

        def commit(exchange: Exchange) -> str:
            if exchange.failures:
                # The answer to an earlier try may be all that was lost.
                now = self._look()
                if now is None or now.commit != before.commit:
                    return self._landed(now)
            info = self._api.create_commit(
                self._repository,
                [*additions, *deletions],
                repo_type=_TYPE,
                commit_message=f"Push the {self._parcel.kind} with mindcorpus {__version__}",
                parent_commit=before.commit,
            )
            return str(info.oid)

        oid = self._desk.ask(commit)
        total = self._parcel.bytes
        self._desk.report(Progress("publish", self._repository, done=total, total=total))
        address = f"{self._desk.endpoint}/datasets/{self._repository}"
        return Sent(address, before.public, oid, changed=oid != before.commit)

    def _landed(self, now: _State | None) -> str:
        """Give the commit that an earlier try made; raises `PushError` if it is another's."""
        manifest = self._earlier(now) if now is not None else None
        if now is None or manifest != self._parcel.manifest:
            raise conflict(self._repository)
        return now.commit

    def _upload(self, file: ParcelFile) -> CommitOperationAdd:
        """Send a file to where the hub keeps large ones; a small one goes with the commit."""
        body = Body(file, self._desk.cancel)
        with file.file.open("rb") as opened:
            sample = opened.read(_SAMPLE)
        addition = CommitOperationAdd(file.path, cast("BinaryIO", body))
        addition.upload_info = UploadInfo(
            sha256=bytes.fromhex(file.sha256), size=file.bytes, sample=sample
        )
        body.seek(0)

        def send(_exchange: Exchange) -> None:
            body.seek(0)
            self._api.preupload_lfs_files(
                self._repository, [addition], repo_type=_TYPE, free_memory=False
            )

        def tell(_received: int, note: str) -> None:
            done = self._done + min(body.sent, file.bytes)
            self._desk.report(
                Progress("publish", file.path, done=done, total=self._parcel.bytes, note=note)
            )

        self._desk.ask(send, tell)
        body.seek(0)
        self._done += file.bytes
        tell(0, "")
        return addition
