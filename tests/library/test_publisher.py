"""A job that may be tried by several processes publishes once, and never over a later one."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mindcorpus.errors import ArtifactError, ExistsError
from mindcorpus.storage.kinds import KINDS, MANIFEST
from mindcorpus.storage.manifest import SCHEMA_VERSION
from mindcorpus.storage.publishers import Publisher
from mindcorpus.storage.store import Store

WATCHED = {"os.rename", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "open", "shutil.rmtree"}


def write(output: Path, text: str) -> None:
    """Write a small corpus, all of whose files hold a text."""
    for name in {*KINDS["corpus"].links.values()} - {MANIFEST}:
        (output / name).write_text(text)
    manifest = {"schema_version": SCHEMA_VERSION, "text": text}
    (output / MANIFEST).write_text(json.dumps(manifest))


def publish(data_dir: Path, publisher: Publisher | None, text: str, *, force: bool = False) -> None:
    """Publish a small corpus as a merge does."""
    store = Store(data_dir, publisher)
    store.refuse_to_overwrite("corpus", force=force)
    with store.stage("corpus") as staging:
        write(staging.output, text)
        store.publish("corpus", staging.output, staging, force=force)


def published(data_dir: Path) -> str | None:
    """Give the text of the corpus, which all its files hold; None if there is none."""
    store = Store(data_dir)
    if not store.exists("corpus"):
        return None
    folder = store.folder("corpus")
    text = str(json.loads((folder / MANIFEST).read_text())["text"])
    for name in {*KINDS["corpus"].links.values()} - {MANIFEST}:
        assert (folder / name).read_text() == text
    for link, name in KINDS["corpus"].links.items():
        assert (data_dir / link).resolve() == folder / name
    return text


def clean(data_dir: Path) -> None:
    """Check that nothing is left but the artifact, its link and the note of who published it.

    And the one build that was replaced last, if any, which is kept.
    """
    Store(data_dir).sweep()
    assert list((data_dir / "staging").iterdir()) == []
    left = {path.name for path in (data_dir / "artifacts").iterdir()}
    link = data_dir / "artifacts/corpus"
    kept = Store(data_dir).builds.kept("corpus")
    assert len(kept) <= 1
    left -= {name for build in kept for name in (build.id, f".kept.{build.id}")}
    wanted = {".corpus.publisher", ".corpus.draft", ".outcomes"}
    assert left - wanted == ({"corpus", os.readlink(link)} if link.is_symlink() else set())


def is_own(data_dir: Path, publisher: Publisher | None) -> bool:
    return Store(data_dir, publisher).is_own("corpus")


# Who may publish


def test_without_force_a_job_publishes_over_its_own_alone(tmp_path: Path) -> None:
    publish(tmp_path, Publisher("a", 1), "first")
    with pytest.raises(ExistsError):
        publish(tmp_path, Publisher("b", 2), "other")
    with pytest.raises(ExistsError):
        publish(tmp_path, None, "a person's")
    publish(tmp_path, Publisher("a", 3), "again")
    assert published(tmp_path) == "again"
    clean(tmp_path)


def test_of_a_job_s_tries_the_later_wins_and_the_earlier_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, Publisher("a", 7), "second")
    for late in (1, 6):
        with pytest.raises(ArtifactError, match="a later try"):
            publish(tmp_path, Publisher("a", late), "late", force=True)
    assert published(tmp_path) == "second"
    publish(tmp_path, Publisher("a", 7), "the same try", force=True)
    assert published(tmp_path) == "the same try"
    clean(tmp_path)


def test_a_try_that_has_begun_keeps_earlier_ones_from_publishing(tmp_path: Path) -> None:
    publish(tmp_path, None, "a person's")
    Store(tmp_path, Publisher("a", 2)).begin("corpus")
    with pytest.raises(ArtifactError, match="a later try"):
        publish(tmp_path, Publisher("a", 1), "late", force=True)
    with pytest.raises(ArtifactError, match="a later try"):
        Store(tmp_path, Publisher("a", 1)).begin("corpus")
    assert published(tmp_path) == "a person's"
    assert not is_own(tmp_path, Publisher("a", 2))
    publish(tmp_path, Publisher("a", 2), "in time", force=True)
    Store(tmp_path, Publisher("a", 3)).begin("corpus")
    assert is_own(tmp_path, Publisher("a", 3))
    clean(tmp_path)


def test_which_of_two_jobs_was_claimed_first_says_nothing(tmp_path: Path) -> None:
    publish(tmp_path, Publisher("b", 7), "b's")
    publish(tmp_path, Publisher("a", 1), "a's", force=True)
    assert published(tmp_path) == "a's"
    publish(tmp_path, Publisher("b", 7), "b's again", force=True)
    with pytest.raises(ArtifactError):
        publish(tmp_path, Publisher("b", 6), "late", force=True)


def test_only_some_fences_are_remembered(tmp_path: Path) -> None:
    for number in range(1, 60):
        Store(tmp_path, Publisher(f"job {number}", number)).begin("corpus")
    publish(tmp_path, Publisher("last", 60), "last")
    assert len((tmp_path / "artifacts/.corpus.publisher").read_bytes()) < 4096
    with pytest.raises(ArtifactError):
        publish(tmp_path, Publisher("last", 59), "late", force=True)


def test_a_job_knows_what_it_published_whichever_try_it_was(tmp_path: Path) -> None:
    assert not is_own(tmp_path, Publisher("a", 1))
    publish(tmp_path, Publisher("a", 1), "first")
    assert is_own(tmp_path, Publisher("a", 1))
    assert is_own(tmp_path, Publisher("a", 2))
    assert not is_own(tmp_path, Publisher("b", 1))
    assert not is_own(tmp_path, None)
    publish(tmp_path, None, "a person's", force=True)
    assert not is_own(tmp_path, Publisher("a", 2))
    with pytest.raises(ExistsError):
        publish(tmp_path, Publisher("a", 2), "again")


def test_the_same_content_again_is_the_later_job_s(tmp_path: Path) -> None:
    publish(tmp_path, Publisher("a", 1), "same")
    publish(tmp_path, Publisher("b", 2), "same", force=True)
    assert is_own(tmp_path, Publisher("b", 2))
    assert not is_own(tmp_path, Publisher("a", 3))
    clean(tmp_path)


def test_a_note_that_is_broken_is_nobody_s(tmp_path: Path) -> None:
    publish(tmp_path, Publisher("a", 1), "first")
    (tmp_path / "artifacts/.corpus.publisher").write_text("{")
    assert not is_own(tmp_path, Publisher("a", 1))
    publish(tmp_path, Publisher("a", 2), "second", force=True)
    assert is_own(tmp_path, Publisher("a", 2))


def test_what_a_person_published_a_job_may_not_replace_unasked(tmp_path: Path) -> None:
    publish(tmp_path, None, "a person's")
    with pytest.raises(ExistsError):
        publish(tmp_path, Publisher("a", 1), "a job's")
    publish(tmp_path, Publisher("a", 1), "a job's", force=True)
    assert published(tmp_path) == "a job's"


# Two at once


def test_what_appears_between_the_first_look_and_publishing_is_not_replaced(tmp_path: Path) -> None:
    slow = Store(tmp_path)
    slow.refuse_to_overwrite("corpus", force=False)
    with slow.stage("corpus") as staging:
        write(staging.output, "slow")
        publish(tmp_path, None, "fast")
        with pytest.raises(ExistsError):
            slow.publish("corpus", staging.output, staging, force=False)
    assert published(tmp_path) == "fast"
    clean(tmp_path)


def waits_for(folder: Path) -> bool:
    """Whether somebody waits for the lock of a folder."""
    waiting = [line for line in Path("/proc/locks").read_text().splitlines() if " -> FLOCK" in line]
    return any(line.split()[6].endswith(f":{folder.stat().st_ino}") for line in waiting)


def test_the_last_look_is_taken_when_nobody_else_can_publish_any_more(tmp_path: Path) -> None:
    publish(tmp_path / "other", None, "fast")
    data_dir = tmp_path / "data"
    slow = Store(data_dir)
    with slow.stage("corpus") as staging, ThreadPoolExecutor(1) as thread:
        write(staging.output, "slow")
        with Store(data_dir).locked():
            trying = thread.submit(slow.publish, "corpus", staging.output, staging, force=False)
            while not waits_for(data_dir / "artifacts"):
                assert not trying.done()
                time.sleep(0.01)
            # What the fast one publishes while the slow one waits for its turn.
            for path in (tmp_path / "other").rglob("artifacts/corpus*"):
                path.rename(data_dir / "artifacts" / path.name)
            for name in KINDS["corpus"].links:
                (tmp_path / "other" / name).rename(data_dir / name)
        with pytest.raises(ExistsError):
            trying.result()
    assert published(data_dir) == "fast"


# On the disk before it is seen


def test_everything_is_on_the_disk_before_anybody_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, Path]] = []
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def synced(descriptor: int) -> None:
        done.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}"))))
        fsync(descriptor)

    def moved(act: Callable[..., None]) -> Callable[..., None]:
        def move(old: Path, new: Path) -> None:
            done.append(("move", Path(new)))
            act(old, new)

        return move

    publish(tmp_path, None, "old")
    with Store(tmp_path).stage("corpus") as staging:
        output = staging.output
        write(output, "new")
        (output / "part").mkdir()
        (output / "part/one").write_text("below")
        staged = [output, *output.rglob("*")]
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", synced)
            patched.setattr(os, "rename", moved(rename))
            patched.setattr(os, "replace", moved(replace))
            folder = Store(tmp_path).publish("corpus", output, staging, force=True)
    artifacts, link = tmp_path / "artifacts", tmp_path / "artifacts/corpus"
    taken_over, seen = done.index(("move", folder)), done.index(("move", link))
    # All that was written, then the folder's new name, then the link, then the link's own folders.
    assert {("sync", path) for path in staged} <= {*done[:taken_over]}
    assert ("sync", artifacts) in done[taken_over:seen]
    assert {("sync", artifacts), ("sync", tmp_path)} <= {*done[seen:]}


# Dying on the way


def killed_at(number: int, data_dir: Path, publisher: Publisher, *, force: bool) -> bool:
    """Publish in a process that kills itself at a file system call; tell whether it came there."""
    child = os.fork()
    if not child:
        try:
            _die_at(number)
            publish(data_dir, publisher, "new", force=force)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _die_at(number: int) -> None:
    counted = 0

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal counted
        if event in WATCHED:
            if counted == number:
                os.kill(os.getpid(), signal.SIGKILL)
            counted += 1

    sys.addaudithook(hook)


@pytest.mark.parametrize("force", [True, False])
def test_a_try_may_die_at_any_call_and_the_next_one_ends_it(force: bool, tmp_path: Path) -> None:
    seen = set()
    for number in range(1000):
        data_dir = tmp_path / str(number)
        if force:
            publish(data_dir, Publisher("old", 1), "old")
        died = killed_at(number, data_dir, Publisher("a", 2), force=force)
        text = published(data_dir)
        assert text in ("new", "old" if force else None)
        own = is_own(data_dir, Publisher("a", 3))
        # The note comes before the link: what is published is known as its own, nothing else is.
        assert own is (text == "new")
        if not died:
            break
        seen.add((text, own))
        if not own:
            publish(data_dir, Publisher("a", 3), "new", force=force)
        assert published(data_dir) == "new"
        assert is_own(data_dir, Publisher("a", 4))
        with pytest.raises(ArtifactError):
            publish(data_dir, Publisher("a", 1), "late", force=True)
        clean(data_dir)
    assert number > 10
    assert len(seen) == 2


def test_a_try_that_died_does_not_keep_another_job_away(tmp_path: Path) -> None:
    for number in range(1000):
        data_dir = tmp_path / str(number)
        publish(data_dir, Publisher("old", 1), "old")
        if not killed_at(number, data_dir, Publisher("a", 2), force=True):
            break
        publish(data_dir, Publisher("b", 3), "b's", force=True)
        assert published(data_dir) == "b's"
        assert is_own(data_dir, Publisher("b", 3))
        clean(data_dir)
    assert number > 10


# What a job published, told after somebody replaced it


def published_id(data_dir: Path, publisher: Publisher) -> str | None:
    """Give the text of what a job published, as it is told a later try."""
    manifest = Store(data_dir, publisher).published("corpus")
    return None if manifest is None else str(manifest["text"])


def test_a_job_is_told_what_it_published_though_others_replaced_it(tmp_path: Path) -> None:
    assert Store(tmp_path, Publisher("a", 1)).published("corpus") is None
    publish(tmp_path, Publisher("a", 1), "a's")
    assert published_id(tmp_path, Publisher("a", 2)) == "a's"
    publish(tmp_path, Publisher("b", 2), "b's", force=True)
    publish(tmp_path, None, "a person's", force=True)
    publish(tmp_path, None, "the same person's", force=True)
    assert published_id(tmp_path, Publisher("a", 3)) == "a's"
    assert published_id(tmp_path, Publisher("b", 4)) == "b's"
    assert published_id(tmp_path, Publisher("c", 5)) is None
    assert Store(tmp_path).published("corpus") is None
    publish(tmp_path, Publisher("a", 6), "a's again", force=True)
    publish(tmp_path, None, "a person's", force=True)
    assert published_id(tmp_path, Publisher("a", 7)) == "a's again"


def test_a_job_that_died_before_it_published_is_told_nothing(tmp_path: Path) -> None:
    for number in range(1000):
        data_dir = tmp_path / str(number)
        publish(data_dir, Publisher("old", 1), "old")
        died = killed_at(number, data_dir, Publisher("a", 2), force=True)
        text = published(data_dir)
        publish(data_dir, Publisher("b", 3), "b's", force=True)
        assert published_id(data_dir, Publisher("a", 4)) == ("new" if text == "new" else None)
        assert published_id(data_dir, Publisher("old", 5)) == "old"
        if not died:
            break
    assert number > 10


def test_only_some_outcomes_are_kept(tmp_path: Path) -> None:
    for number in range(60):
        publish(tmp_path, Publisher(f"job {number}", 1), f"text {number}", force=True)
    assert len(list((tmp_path / "artifacts/.outcomes").iterdir())) == 50
    assert published_id(tmp_path, Publisher("job 58", 2)) == "text 58"
    assert published_id(tmp_path, Publisher("job 1", 2)) is None
