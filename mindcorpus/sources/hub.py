"""A source's files from the hub: pinned to a commit, cached, checked, every failure told apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.hf_api import DatasetInfo, RepoFile
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]
from huggingface_hub.utils.tqdm import silent_tqdm

from mindcorpus.errors import SettingsError
from mindcorpus.progress import Cancellation, Reporter
from mindcorpus.remedies import FollowCatalog
from mindcorpus.settings import Settings
from mindcorpus.sources.catalog import Source
from mindcorpus.sources.downloads import Digests, Wanted, fill
from mindcorpus.sources.files import Fetched, FetchedFile, digests, discard, fetch_local, verify
from mindcorpus.sources.hosts import HostVerdicts
from mindcorpus.sources.hub_errors import Asked, missing_file
from mindcorpus.sources.hub_request import HubRequest, endpoint, offline, shown
from mindcorpus.sources.hub_retries import Exchange
from mindcorpus.sources.hub_splits import CARDS, files_of_split
from mindcorpus.sources.lock import LockedFile, LockedSource
from mindcorpus.sources.partial import hold, partial_path
from mindcorpus.sources.urls import fetch_url

__all__ = ["Fetched", "FetchedFile", "fetch", "fetch_local", "verify"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_GIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def fetch(
    source: Source,
    *,
    settings: Settings,
    locked: LockedSource | None,
    revision: str | None = None,
    report: Reporter,
    cancel: Cancellation,
    hosts: HostVerdicts | None = None,
) -> Fetched:
    """Bring a source's files to the local cache, from the hub repository or URL it names.

    The commit is `revision` if given, else the lock's, else what the source's own revision is now.
    What the cache holds of a known commit is taken from it without a request, and not read: such
    files have no sha256 yet, `verify` checks them. What is downloaded is checked here. `hosts` is
    what the sources of one merge share of the servers they ask.
    Raises a `FetchError`, or `SettingsError` for a lock of something else.
    """
    origin = source.repository or (source.url and shown(source.url))
    assert origin is not None, "a source with a path is for fetch_local"
    if locked is not None and shown(locked.repository) != origin:
        raise SettingsError(
            f"sources.lock names {shown(locked.repository)}, the catalogue {origin}",
            source=source.name,
            remedy=FollowCatalog(source.name),
        )
    request = HubRequest(source, settings, report, cancel, hosts or HostVerdicts())
    if source.url:
        return fetch_url(request, source.url, locked)
    commit = revision or (locked.revision if locked else source.revision)
    if not _COMMIT.fullmatch(commit):
        commit = _resolve(request, origin, commit)
    if locked is not None and locked.revision != commit:
        locked = None
    files = _Commit(request, origin, commit).fetch(locked)
    split = "" if source.files else source.split
    return Fetched(source.name, origin, commit, files, split, config=source.config)


def _resolve(request: HubRequest, repository: str, revision: str) -> str:
    """Ask the hub which commit a branch or tag is now; offline, what the cache last saw."""
    if offline() and request.source.files:
        path = request.source.files[0].path
        cache = request.settings.cache_dir
        seen = try_to_load_from_cache(repository, path, cache, revision, "dataset")
        if isinstance(seen, str):  # …/snapshots/COMMIT/PATH
            return Path(seen).parents[len(PurePosixPath(path).parts) - 1].name
    info = _Commit(request, repository, revision).info()
    assert info.sha is not None
    return info.sha


@dataclass(frozen=True)
class _Commit:
    """A repository at a commit, as one request sees it."""

    request: HubRequest
    repository: str
    commit: str

    def fetch(self, locked: LockedSource | None) -> tuple[FetchedFile, ...]:
        """Give the source's files, from the cache or downloaded, as the lock knows them."""
        request = self.request
        known = locked.files if locked else {}
        paths = [file.path for file in request.source.files]
        if not paths:
            # The lock speaks only of the split and configuration that were merged.
            wanted = (request.source.split, request.source.config)
            same = locked is not None and (locked.split, locked.config) == wanted
            paths = list(known) if same else self.split()
        found = {path: self.cached(path, known.get(path)) for path in paths}
        missing = [path for path, file in found.items() if file is None]
        done = sum(file.size for file in found.values() if file is not None)
        facts = self.facts(missing) if missing else {}
        total = done + sum(fact.size for fact in facts.values())
        for path, fact in facts.items():
            file = request.as_locked(self.download(fact, done, total), known.get(path))
            found[path] = file
            done += file.size
        request.report_bytes(done, total)
        return tuple(file for file in found.values() if file is not None)

    def info(self) -> DatasetInfo:
        """Ask for the commit and the names of its files."""
        return self.request.ask(
            lambda _: HfApi(endpoint()).dataset_info(self.repository, revision=self.commit),
            self.asked(),
        )

    def split(self) -> list[str]:
        """Give the files of the source's split, for a source that names none."""
        names = [sibling.rfilename for sibling in self.info().siblings or ()]
        cards = [name for name in CARDS if name in names]
        facts = self.facts(cards) if cards else {}
        contents = {
            name: self.download(fact, 0, None).local.read_bytes() for name, fact in facts.items()
        }
        return list(files_of_split(self.request.source, names, contents))

    def cached(self, path: str, known: LockedFile | None) -> FetchedFile | None:
        """Give a file that the cache holds; asks nobody and reads nothing."""
        cache = self.request.settings.cache_dir
        seen = try_to_load_from_cache(self.repository, path, cache, self.commit, "dataset")
        if not isinstance(seen, str):
            return None
        local = Path(seen)
        # The cache names a large file by its sha256 and a small one by its id in git, so that they
        # can be checked without a lock as well.
        name = local.resolve().name
        expected = known.sha256 if known else name if _SHA256.fullmatch(name) else ""
        git = name if _GIT.fullmatch(name) else ""
        return FetchedFile(path, local, local.stat().st_size, expected=expected, expected_git=git)

    def facts(self, paths: Sequence[str]) -> dict[str, RepoFile]:
        """Ask what the hub says of files, their sizes and digests; in the order of `paths`."""
        answer = self.request.ask(
            lambda _: HfApi(endpoint()).get_paths_info(
                self.repository, list(paths), revision=self.commit, repo_type="dataset"
            ),
            self.asked(),
        )
        facts = {fact.path: fact for fact in answer if isinstance(fact, RepoFile)}
        for path in paths:
            if path not in facts:
                raise missing_file(self.asked(path))
        return {path: facts[path] for path in paths}

    def download(self, fact: RepoFile, done: int, total: int | None) -> FetchedFile:
        """Download a file and check it against what the hub says of it."""
        request = self.request
        cache = request.settings.cache_dir or Path(HF_HUB_CACHE)
        etag = fact.lfs.sha256 if fact.lfs else fact.blob_id
        blob = cache / repo_folder_name(repo_id=self.repository, repo_type="dataset")
        blob = blob / "blobs" / etag

        def is_right(found: Digests) -> bool:
            size, sha256, git = found
            return size == fact.size and etag == (sha256 if fact.lfs else git)

        def work(exchange: Exchange) -> FetchedFile:
            address = hf_hub_url(
                self.repository,
                fact.path,
                repo_type="dataset",
                revision=self.commit,
                endpoint=endpoint(),
            )
            wanted = Wanted(address, build_hf_headers(), fact.size, pinned=True)
            found = None
            partial = partial_path(
                request.settings.cache_dir, f"{self.repository}/{fact.path}", etag
            )
            with hold(partial, exchange) as held:
                if blob.exists():  # another process was quicker
                    held.discard()
                else:
                    found = fill(held, wanted, exchange, is_right)
                    if not is_right(found):
                        held.discard()
                        raise exchange.failed("wrong bytes came", garbled=True)
                    held.move_to(blob)
            # Asks what the hub calls the file, finds that in the cache, and links it there.
            path = Path(
                hf_hub_download(
                    self.repository,
                    fact.path,
                    repo_type="dataset",
                    revision=self.commit,
                    cache_dir=request.settings.cache_dir,
                    endpoint=endpoint(),
                    tqdm_class=silent_tqdm,
                )
            )
            if found is None or path.resolve() != blob.resolve():
                found = digests(path)
            if not is_right(found):
                discard(path)
                raise exchange.failed("wrong bytes came", garbled=True)
            return FetchedFile(fact.path, path, found[0], found[1])

        highest = 0

        def report(received: int, note: str = "") -> None:
            nonlocal highest
            highest = max(highest, min(received, fact.size))
            request.report_bytes(done + highest, total, note)

        report(0)
        return request.ask(work, self.asked(fact.path), report)

    def asked(self, file: str | None = None) -> Asked:
        """Name what is asked, for an error."""
        page = f"{shown(endpoint())}/datasets/{self.repository}"
        return Asked(self.request.source.name, page, self.commit, file)
