"""Storage: work is staged, published in one rename, and never written to again.

An artifact is a folder `artifacts/<kind>-<digest>/`, a build. `artifacts/<kind>` is a symbolic link
to the current one; the paths users know are links through it. Swapping that one link publishes all
files of an artifact at the same instant, and whatever dies before leaves the old one whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mindcorpus import privacy
from mindcorpus.corpus_name import CORPUS_NAME, DEFAULT_CORPUS
from mindcorpus.errors import (
    CorruptArtifactError,
    ExistsError,
    NoCorpusError,
    SettingsError,
    StorageError,
    storage_errors,
)
from mindcorpus.limits import DISK_SHARE, KEEP_BUILDS, PARTS_DAYS
from mindcorpus.privacy import Readers
from mindcorpus.remedies import Merge, Prepare, Replace
from mindcorpus.storage import disk
from mindcorpus.storage.builds import Builds, KeptBuild
from mindcorpus.storage.kinds import KINDS, MANIFEST
from mindcorpus.storage.manifest import read_manifest
from mindcorpus.storage.pins import Pins
from mindcorpus.storage.publishers import Publications, Publisher
from mindcorpus.storage.staging import Staging, new_folder, remove_left_behind
from mindcorpus.storage.status import status_of

if TYPE_CHECKING:
    from mindcorpus.settings import Settings

#: A link to NAME before it has that name, as `disk.point` makes it.
_HALF_MADE = re.compile(r"\.(.+)\..{8}")


class Store:
    """The artifacts of one corpus of a data folder."""

    def __init__(
        self,
        data_dir: str | Path,
        publisher: Publisher | None = None,
        *,
        corpus: str = DEFAULT_CORPUS,
        keep_builds: int = KEEP_BUILDS,
        disk_share: float = DISK_SHARE,
        parts_days: float = PARTS_DAYS,
        readers: Readers | None = None,
    ) -> None:
        if not CORPUS_NAME.fullmatch(corpus):
            raise SettingsError(f"{corpus!r} is no name of a corpus", field="corpus")
        self.data_dir = Path(data_dir)
        """The home of the corpus: of the default one the data folder itself."""
        if corpus != DEFAULT_CORPUS:
            self.data_dir = self.data_dir / "corpora" / corpus
        self._artifacts = self.data_dir / "artifacts"
        self._publications = Publications(self._artifacts, publisher)
        self.staging = self.data_dir / "staging"
        self.parts = self.data_dir / "parts"
        """Where parts of sources are kept for later merges."""
        self.disk_share = disk_share
        """Of the disk, what kept builds and parts may take."""
        self.parts_days = parts_days
        """How long parts stay that nobody uses."""
        self._keep_builds = keep_builds
        self._readers = readers or Readers()
        self.builds = Builds(self._artifacts)
        self.pins = Pins(self._artifacts / ".pins", self.staging)

    @classmethod
    def of(cls, settings: Settings, publisher: Publisher | None = None) -> Self:
        """Give the store of the settings' data folder, for who writes there."""
        return cls(
            settings.data_dir,
            publisher,
            keep_builds=settings.keep_builds,
            disk_share=settings.disk_share,
            parts_days=settings.parts_days,
            readers=Readers.of(settings.group),
        )

    # Reading

    def exists(self, kind: str) -> bool:
        """Whether an artifact of a kind was published."""
        with storage_errors(self.data_dir):
            return (self._artifacts / kind / MANIFEST).is_file()

    def corpus_exists(self) -> bool:
        """Whether a corpus was published."""
        return self.exists("corpus")

    def prepared(self) -> dict[str, bool]:
        """Whether each training format was published: those of the guide, and what exists."""
        return {kind: self.exists(kind) for kind in self.kinds() if KINDS[kind].is_format}

    def kinds(self) -> tuple[str, ...]:
        """Give the kinds of artifacts that are expected here, and formats that are there too."""
        return tuple(
            name
            for name, kind in KINDS.items()
            if kind.expected or (kind.is_format and self.exists(name))
        )

    def folder(self, kind: str) -> Path:
        """Give the current folder of a kind, links resolved: it stays the same artifact.

        It may be removed once it was replaced; who reads for long asks `reading`. Raises
        `NoCorpusError` if there is none.
        """
        if not self.exists(kind):
            what = "merged corpus" if kind == "corpus" else f"{kind} format"
            remedy = Merge() if kind == "corpus" else Prepare(kind)
            raise NoCorpusError(f"there is no {what}", file=str(self.data_dir), remedy=remedy)
        return (self._artifacts / kind).resolve()

    @contextmanager
    def reading(self, kind: str) -> Iterator[Path]:
        """Give the current folder of a kind; it stays until the context ends, whoever replaces it.

        Raises `NoCorpusError` if there is none.
        """
        job = self._publications.publisher.job if self._publications.publisher else ""
        while True:
            folder = self.folder(kind)
            with self.pins.hold([folder.name], job):
                # Still the current one: whoever removes it has yet to look for pins.
                if self.folder(kind) != folder:
                    continue
                try:
                    yield folder
                finally:
                    gone = not self.builds.stays(folder.name)
            if gone:  # nobody but us needed it
                with suppress(StorageError):
                    self.sweep(wait=False)
            return

    @contextmanager
    def using(self, parts: Sequence[str]) -> Iterator[None]:
        """Keep parts of sources, by their names, from being removed until the context ends."""
        job = self._publications.publisher.job if self._publications.publisher else ""
        with ExitStack() as stack:
            with self.locked():  # whoever removes parts holds it, and looks for pins then
                stack.enter_context(self.pins.hold(parts, job))
            yield

    def path(self, kind: str, name: str | None = None) -> Path:
        """Give the path in the data folder under which users know an artifact's file."""
        return self.data_dir / (name or KINDS[kind].path)

    def manifest(self, kind: str) -> dict[str, Any]:
        """Read the manifest of a kind; raises `NoCorpusError` or `CorruptArtifactError`."""
        return self.current(kind)[1]

    def current(self, kind: str) -> tuple[Path, dict[str, Any]]:
        """Give the current folder of a kind and its manifest, also while it is being replaced.

        Raises `NoCorpusError` or `CorruptArtifactError`.
        """
        while True:
            folder = self.folder(kind)
            try:
                return folder, read_manifest(folder)
            except CorruptArtifactError:
                if folder.exists():
                    raise

    def is_linked(self, kind: str) -> bool:
        """Whether the files of a kind are all to be found under the paths that users know."""
        links = {self.data_dir / name: _text_of(kind, name) for name in KINDS[kind].links}
        return all(path.is_symlink() and os.readlink(path) == text for path, text in links.items())

    def digest(self, kind: str) -> str:
        """Give the sha256 of a kind's manifest, which names all its bytes; "" if there is none."""
        while self.exists(kind):
            with suppress(FileNotFoundError):  # replaced just now
                return hashlib.sha256((self.folder(kind) / MANIFEST).read_bytes()).hexdigest()
        return ""

    def status(self) -> dict[str, Any]:
        """Tell by kind whether it exists, its path, build, bytes, rows, time of making, warnings.

        `kept` are the builds that a rollback can bring back. Of a format also whether it is
        `outdated`, and by what: `corpus-changed` or `split-changed`, else null.
        """
        return status_of(self)

    # Writing

    def refuse_to_overwrite(self, kind: str, *, force: bool) -> None:
        """Raise `ExistsError` if publishing would replace what nobody said may be replaced."""
        self.refuse_foreign(kind)
        if self.exists(kind) and not force and not self.is_own(kind):
            raise ExistsError(
                f"{self.path(kind).name} exists",
                file=str(self.path(kind)),
                remedy=Replace(),
            )

    def is_own(self, kind: str) -> bool:
        """Whether the current artifact of a kind was published by this store's publisher."""
        return self.exists(kind) and self._publications.is_ours(
            kind, os.readlink(self._artifacts / kind)
        )

    def published(self, kind: str) -> dict[str, Any] | None:
        """Give the manifest of what this store's publisher published of a kind; None if nothing.

        Also where somebody replaced it since: a job that lost its process is told what *it* made.
        """
        if self._publications.publisher is None:
            return None
        with self.locked():
            if self.is_own(kind):
                return self.manifest(kind)
            return self._publications.outcome(kind)

    def begin(self, *kinds: str) -> None:
        """Note that this publisher's try has begun: earlier tries of its job publish no more.

        Raises `ArtifactError` for one that is itself an earlier try.
        """
        if self._publications.publisher is None:
            return
        with self.locked():
            for kind in kinds:
                self._publications.begin(kind, self.path(kind))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from publishing, sweeping and locking sources meanwhile."""
        with storage_errors(self.data_dir):
            self.make_folder(self._artifacts)
            with disk.locked(self._artifacts):
                yield

    def make_folder(self, folder: Path) -> None:
        """Make a folder of the store's home, and the home, for who may read there alone."""
        both = (self.data_dir, folder)
        missing = [each for each in both if not each.is_dir() or self._readers.miss(each)]
        privacy.make_folder(folder)
        for each in missing:
            self._readers.allow(each)

    def close(self, path: Path) -> None:
        """Give a file or folder, and all in it, to who may read here alone, whoever wrote it."""
        self._readers.allow_all(path)

    def sweep(self, *, wait: bool = True) -> bool:
        """Remove what processes that were killed left behind, and builds that nobody keeps.

        Gives False if somebody publishes just now and `wait` is false: then nothing was done.
        """
        if not (self.staging.is_dir() and self._artifacts.is_dir()):
            return True
        with storage_errors(self.data_dir):
            try:
                held = disk.lock(self._artifacts, wait=wait)
            except BlockingIOError:
                return False
            try:
                self._sweep()
            finally:
                disk.unlock(held)
        return True

    def refuse_foreign(self, kind: str) -> None:
        """Raise `ExistsError` where something stands that mindcorpus did not make."""
        ours = {self.data_dir / name: _text_of(kind, name) for name in KINDS[kind].links}
        for path, text in {**ours, self._artifacts / kind: None}.items():
            known = path.is_symlink() and text in (None, os.readlink(path))
            if not known and (path.is_symlink() or path.exists()):
                raise ExistsError(
                    f"{path.name} is not of mindcorpus' making",
                    file=str(path),
                    hint="Move it away: what mindcorpus did not write it does not delete.",
                )

    @contextmanager
    def stage(self, kind: str) -> Iterator[Staging]:
        """Give a folder to work in, on the same file system as the artifacts.

        First sweeps what runs that were killed left behind. Raises `StorageError`.
        """
        with storage_errors(self.data_dir):
            for folder in (self._artifacts, self.staging):
                self.make_folder(folder)
            with disk.locked(self._artifacts):
                self._sweep()
                root, owned = new_folder(self.staging, kind)
            try:
                staging = Staging(root)
                staging.output.mkdir(mode=0o700)
                staging.scratch.mkdir(mode=0o700)
                yield staging
            finally:
                shutil.rmtree(root, ignore_errors=True)
                disk.unlock(owned)

    def _sweep(self) -> None:
        """Remove half-made links, staging folders that nobody holds, builds that nobody keeps."""
        links = {name for kind in KINDS.values() for name in kind.links}
        for home, names in ((self.data_dir, links), (self._artifacts, set(KINDS))):
            for path in home.iterdir():
                half_made = _HALF_MADE.fullmatch(path.name)
                if half_made and half_made[1] in names and path.is_symlink():
                    path.unlink()
        remove_left_behind(self.staging)
        self.builds.clear_links()
        for folder in self.builds.unwanted(self.pins.held()):
            shutil.rmtree(folder, ignore_errors=True)
        self._publications.sweep()

    def publish(
        self, kind: str, output: Path, staging: Staging, *, force: bool, replaces: str = ""
    ) -> Path:
        """Make a staged folder the current artifact of a kind, all of it in one rename.

        Its manifest must be there: it is what tells a whole artifact. What it replaces is kept, as
        many builds as there may be. `replaces` is a build that it may replace without `force`.
        Gives the artifact's folder.
        """
        with storage_errors(self.data_dir), disk.locked(self._artifacts):
            digest = hashlib.sha256((output / MANIFEST).read_bytes()).hexdigest()[:16]
            # Once more, now that nobody else publishes: another run may have been faster.
            expected = bool(replaces) and self.builds.current(kind) == replaces
            self.refuse_to_overwrite(kind, force=force or expected)
            self.close(output)
            disk.sync_all(output)
            folder = self._artifacts / f"{kind}-{digest}"
            if folder.exists():
                # The same content once more; the old copy may be why it was made again.
                folder = self._artifacts / f"{kind}-{digest}-{secrets.token_hex(4)}"
            self._keep_current(kind)
            self._publications.publish(kind, self.path(kind), folder.name)
            output.rename(folder)
            self._point(kind, folder.name)
            for build in self.surplus(kind):
                self.builds.give_up(build.id)
            for number, unwanted in enumerate(self.builds.unwanted(self.pins.held())):
                # Out of sight first: nobody finds half of it.
                unwanted.rename(staging.root / f"replaced-{kind}-{number}")
        return folder

    def surplus(self, kind: str) -> list[KeptBuild]:
        """Give the builds of a kind that are kept though the settings keep fewer."""
        return self.builds.surplus(kind, self._keep_builds)

    def bring_back(self, kind: str, build: str) -> str | None:
        """Make a build that is there, and pinned, the current one; the one it replaces is kept.

        Gives that one's name; None if somebody was faster, or there was none.
        """
        with self.locked():
            before = self.builds.current(kind)
            if before == build:
                return None
            self.refuse_foreign(kind)
            self._keep_current(kind)
            self._point(kind, build)
            self.builds.give_up(build)
            return before

    def _keep_current(self, kind: str) -> None:
        """Keep the current build of a kind, which is about to be replaced, and who published it."""
        name = self.builds.current(kind)
        if name is not None:
            self._publications.keep_outcome(kind, self._artifacts / name)
            self.builds.keep(name)

    def _point(self, kind: str, build: str) -> None:
        """Make a build the current one, in one rename."""
        for name in KINDS[kind].links:
            disk.point(self.data_dir / name, _text_of(kind, name))
        disk.sync(self._artifacts)
        disk.point(self._artifacts / kind, build)
        disk.sync(self._artifacts)
        disk.sync(self.data_dir)


def _text_of(kind: str, name: str) -> str:
    """Give the text of the link under which users know a file."""
    return os.path.join("artifacts", kind, KINDS[kind].links[name]).rstrip("/")  # noqa: PTH118 - a link's text, not a path that is opened
