"""The end of what several wrote: it is gathered, and each file has its checksum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mindcorpus.execution.context import JobContext
from mindcorpus.progress import Progress, piece
from mindcorpus.storage.files import Piece, Written
from mindcorpus.storage.ordered_hash import SharedFile
from mindcorpus.storage.shared_work import PARTS_SHARE, SharedWork
from mindcorpus.storage.staging import Staging

_LOOK = 0.1  # seconds between two looks at how far the checksums are


@dataclass(frozen=True)
class WrittenParts:
    """What a job planned and others wrote: the attempts that counted, in the order of the parts."""

    work: str
    state: str
    attempts: Sequence[Mapping[str, str]]
    strays: bool
    """Whether somebody who was taken for lost may still write."""

    def are_there(self, staging: Path) -> bool:
        """Whether they are in a store's `staging`: who began to publish them may have died."""
        return SharedWork(staging, self.work).root.is_dir()

    def gather(self, staging: Staging) -> tuple[Any, list[Any]]:
        """Bring it all into a staging area; gives the plan's state, and each part's results.

        Raises `ArtifactError` where it is there no longer.
        """
        work = SharedWork(staging.root.parent, self.work)
        return work.gather(staging, self.state, self.attempts)

    def seal(
        self, files: Sequence[SharedFile], staging: Staging, context: JobContext
    ) -> list[Written]:
        """Hash files whose shares are all written, a thread each; put together what is in pieces.

        Where a stray may still have one open, what is given is a copy, which nobody else knows.
        Raises `CancelledError`.
        """
        sizes = [_size(file) for file in files]
        report = piece(context.report, PARTS_SHARE, 1.0)
        with ExitStack() as stack:
            followers = []
            for number, file in enumerate(files):
                mine = self._unshared(file, staging.scratch / f"written-{number}")
                followers.append(stack.enter_context(mine.follow()))
                followers[-1].complete_all()
            for follower in followers:
                while not follower.is_over(_LOOK):
                    context.cancel.check()
                    done = sum(each.done for each in followers)
                    report(Progress("write", "checksums", done=done, total=sum(sizes)))
        return [each.written(0) for each in followers]

    def remove(self, staging: Path) -> None:
        """Remove what was written, now that it is published; `staging` is the store's."""
        SharedWork(staging, self.work).remove()

    def _unshared(self, file: SharedFile, old: Path) -> SharedFile:
        if not self.strays or isinstance(file.shares[0], Piece):
            return file
        file.path.rename(old)
        return SharedFile(file.path, (Piece(old),))


def _size(file: SharedFile) -> int:
    if isinstance(file.shares[0], Piece):
        return sum(share.path.stat().st_size for share in file.shares)
    return file.path.stat().st_size
