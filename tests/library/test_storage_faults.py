"""Disks that are full or read-only, folders that may not be written: real ones, in every stage."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from corpora import NAMES, SAMPLE, inflate, merge_sample, nothing_left, published
from files_of_data import lines_of, merge_own, written

from mindcorpus.errors import MindcorpusError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import merge
from mindcorpus.settings import Settings
from mindcorpus.storage.status import OUTDATED


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample ten times over, some 7 MB, and its paths as JSON."""
    folder = tmp_path_factory.mktemp("raw")
    (folder / "paths.json").write_text(json.dumps(inflate(folder, 10)))
    return folder


# The disk is full, or may not be written

FULL = """
import json, os, sys
from pathlib import Path
from mindcorpus import MindcorpusError, Settings, Store, merge_all_datasets, prepare_all_formats
from mindcorpus.verify import verify

disk, raw = map(Path, sys.argv[1:3])
levels = (0, 200, 2000, 4000, 8000, 14000, 20000)
paths = json.loads((raw / "paths.json").read_text())
small, data_dir = Settings(data_dir=disk / "data", workers=1), disk / "data"
merge_all_datasets(settings=small, sample=True, sources=["TRACE"])
prepare_all_formats(settings=small)

def leave(free):
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    stat = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - free)

def attempt(work):
    try:
        work()
        code = "done"
    except MindcorpusError as error:
        code = error.code if error.advice else "no hint"
    except Exception as error:
        code = f"{type(error).__name__}: {error}"
    left = len(list((data_dir / "staging").iterdir()))
    manifest = Store(data_dir).manifest("corpus")
    sources = [entry["name"] for entry in manifest["sources"]]
    print(json.dumps([code, sources, verify(data_dir), left]), flush=True)

for workers in (1, 2):
    settings = Settings(data_dir=data_dir, workers=workers)
    for free in levels:
        leave(free * 1024)
        attempt(lambda: merge_all_datasets(settings=settings, paths=paths, force=True))
        attempt(lambda: prepare_all_formats(settings=settings, force=True))
        leave(1 << 20)
        (disk / "filler").unlink()
        merge_all_datasets(settings=small, sample=True, sources=["TRACE"], force=True)
"""

READ_ONLY = """
import json, subprocess, sys
from pathlib import Path
from mindcorpus import MindcorpusError, Settings, merge_all_datasets, prepare_all_formats
from mindcorpus.verify import verify

disk = Path(sys.argv[1])
settings = Settings(data_dir=disk / "data", workers=2)
merge_all_datasets(settings=settings, sample=True)
subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
for work in (
    lambda: merge_all_datasets(settings=settings, sample=True, force=True),
    lambda: prepare_all_formats(settings=settings),
    lambda: merge_all_datasets(disk / "new", sample=True),
):
    try:
        work()
    except MindcorpusError as error:
        told = [error.code, error.title, error.advice, verify(disk / "data")]
        print(json.dumps(told), flush=True)
"""


@pytest.fixture(scope="module")
def namespace() -> list[str]:
    """The command for a mount namespace of its own: what is mounted there ends with it."""
    for command in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        try:
            tried = subprocess.run(
                [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            break
        if tried.returncode == 0:
            return command
    pytest.skip("no mount namespaces here: neither root nor user namespaces")


def on_a_disk(
    namespace: list[str], script: str, megabytes: int, tmp_path: Path, *arguments: object
) -> list[Any]:
    """Run a script on a small disk of its own; give the JSON lines it prints."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "script.py").write_text(script)
    command = f'mount -t tmpfs -o size={megabytes}m tmpfs "$1" && shift && exec "$@"'
    start = [sys.executable, str(tmp_path / "script.py"), str(disk), *map(str, arguments)]
    ran = subprocess.run(
        [*namespace, "sh", "-c", command, "sh", str(disk), *start],
        env={**os.environ, "PYTHONPATH": str(SAMPLE.parents[1])},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr.decode()) == (0, "")
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_a_full_disk_is_a_storage_error_and_the_old_artifacts_stay(
    namespace: list[str], raw: Path, tmp_path: Path
) -> None:
    failures = on_a_disk(namespace, FULL, 60, tmp_path, raw)
    # Formats of the corpus before are outdated, and whole; those made last are up to date.
    found = [[each["problem"] for each in damage] for _, _, damage, _ in failures]
    assert {problem for problems in found for problem in problems} == {OUTDATED["corpus-changed"]}
    assert all(found[at] == [] for at in range(1, len(found), 2) if failures[at][0] == "done")
    assert {left for *_, left in failures} == {0}
    codes = [code for code, *_ in failures]
    assert set(codes) == {"storage", "done"}
    for code, sources, *_ in failures[::2]:
        assert sources == ["TRACE"] if code == "storage" else sources == [*NAMES]
    # Each was met in both: merges and prepares, with one worker and with two.
    for workers in range(2):
        for what in range(2):
            assert set(codes[workers * 14 + what : (workers + 1) * 14 : 2]) == {"storage", "done"}


def test_a_read_only_disk_is_a_storage_error(namespace: list[str], tmp_path: Path) -> None:
    failures = on_a_disk(namespace, READ_ONLY, 20, tmp_path)
    assert len(failures) == 3
    for code, title, hint, damage in failures:
        assert (code, title) == ("storage", "cannot use the data folder: read-only file system")
        assert "--data-dir" in hint
        assert damage == []


SHORT = """
import json, os, shutil, sys
from pathlib import Path
from mindcorpus import MindcorpusError, Settings, merge_all_datasets
from mindcorpus.verify import verify

disk, raw = map(Path, sys.argv[1:3])
paths = json.loads((raw / "paths.json").read_text())

def leave(free):
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    stat = os.statvfs(disk)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - free)

for number, free in enumerate(range(6_000_000, 40_000_000, 4_000_000)):
    settings = Settings(data_dir=disk / str(number), workers=1, keep_builds=0)
    # Of one source the parts are others than the next merge needs.
    merge_all_datasets(settings=settings, paths=paths, options={"Psych-101.max_chars": "7000"})
    kept = len([*(settings.data_dir / "parts").glob("*/part.json")])
    leave(free)
    try:
        made = merge_all_datasets(settings=settings, paths=paths, force=True).parts["made"]
    except MindcorpusError as error:
        made = error.code
    left = len([*(settings.data_dir / "parts").glob("*/part.json")])
    print(json.dumps([made, kept, left, verify(settings.data_dir)]), flush=True)
    (disk / "filler").unlink()
    shutil.rmtree(settings.data_dir)
"""


def test_parts_that_are_kept_go_before_a_merge_has_no_room(
    namespace: list[str], raw: Path, tmp_path: Path
) -> None:
    found = on_a_disk(namespace, SHORT, 100, tmp_path, raw)
    done = [row[:3] for row in found if row[0] != "storage"]
    assert [row[0] for row in found[: -len(done)]] == ["storage"] * (len(found) - len(done))
    assert [damage for *_, damage in found] == [[]] * len(found)
    # With just enough room nothing is kept, neither of before nor of now; with more all is.
    (made, kept, left), *_, (made_last, _, left_last) = done
    assert (made, left) == (kept, 0)
    assert (made_last, left_last) == (1, kept + 1)


def in_a_child(work: Callable[[], object]) -> dict[str, Any]:
    """Do work in a process of its own; give the error of ours it ends with."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        try:
            failures: object = "no error"
            try:
                work()
            except MindcorpusError as error:
                failures = error.as_dict()
            except BaseException as error:  # noqa: BLE001 - told in the parent
                failures = repr(error)
            os.write(write_end, json.dumps(failures).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as file:
        found = json.loads(file.read())
    os.waitpid(child, 0)
    assert isinstance(found, dict), found
    return found


@contextmanager
def modes(changes: dict[Path, int]) -> Iterator[None]:
    """Give paths other permissions for a while."""
    before = {path: path.stat().st_mode for path in changes}
    try:
        for path, mode in changes.items():
            path.chmod(mode)
        yield
    finally:
        for path, mode in before.items():
            path.chmod(mode)


@pytest.mark.parametrize(("mode", "corpus"), [(0o555, True), (0o555, False), (0o000, True)])
def test_a_folder_that_may_not_be_written_is_a_storage_error(
    mode: int, corpus: bool, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    if corpus:
        merge_sample(data_dir, sources=("TRACE",))

    def work() -> None:
        if os.getuid() == 0:  # whom no permission stops
            os.setuid(65534)
        merge_sample(data_dir, sources=("TRACE",), force=True)

    # Another user must get as far as the data folder: pytest closes its folders to all others.
    ways = [path for path in data_dir.parents if path.owner() == tmp_path.owner()]
    changes = {path: path.stat().st_mode | 0o111 for path in ways}
    changes |= {path: mode for path in (data_dir / "artifacts", data_dir / "staging") if corpus}
    with modes({**changes, data_dir: mode}):
        error = in_a_child(work)
    assert (error["code"], error["title"]) == (
        "storage",
        "cannot use the data folder: permission denied",
    )
    assert "permissions" in error["hint"]
    assert not corpus or published(data_dir) == ["TRACE"]


def test_a_limit_on_the_size_of_files_is_a_storage_error(raw: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    merge_sample(data_dir, sources=("TRACE",))
    paths = json.loads((raw / "paths.json").read_text())

    def work(workers: int) -> None:

        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
        merge(MergeRequest(paths=paths, force=True), Settings(data_dir=data_dir, workers=workers))

    for workers in (1, 2):
        error = in_a_child(lambda workers=workers: work(workers))  # type: ignore[misc]
        assert error["code"] == "storage"
        assert error["hint"]
        assert published(data_dir) == ["TRACE"]
        nothing_left(data_dir)


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.csv"])
def test_no_room_for_a_copy_that_is_read_is_no_fault_of_the_source(
    tmp_path: Path, name: str
) -> None:
    rows = [{"question": f"Schläft {at}?", "answer": "Не очень. " * 9} for at in range(6000)]
    table = "question,answer\n" + "".join(f"{row['question']},{row['answer']}\n" for row in rows)
    packed = name.endswith(".gz")
    content = gzip.compress(lines_of(rows)) if packed else table.encode("utf-16")
    written(tmp_path / "own", {name: content})

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
        merge_own(tmp_path / "own", tmp_path / "data")

    error = in_a_child(work)
    assert error["code"] == "storage"
    assert error["hint"]
    nothing_left(tmp_path / "data")
