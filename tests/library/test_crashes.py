"""Crashes: real processes, real signals, real full disks. What was published stays whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from corpora import NAME, SAMPLE, digests, inflate, merge_sample, python, read_json

from mindcorpus.artifacts import Store
from mindcorpus.errors import (
    CorruptArtifactError,
    MindcorpusError,
    NoCorpusError,
    StorageError,
    WorkerLostError,
)
from mindcorpus.manifests import read_manifest
from mindcorpus.merging import merge
from mindcorpus.preparing.formats import prepare
from mindcorpus.progress import Progress
from mindcorpus.requests import MergeRequest, PrepareRequest
from mindcorpus.settings import Settings
from mindcorpus.verifying import verify


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample thirty times over, some 20 MB, and its paths as JSON."""
    folder = tmp_path_factory.mktemp("raw")
    (folder / "paths.json").write_text(json.dumps(inflate(folder, 30)))
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with a small corpus, and formats of it."""
    merge_sample(tmp_path / "data", sources=("TRACE",))
    prepare(PrepareRequest(), Settings(data_dir=tmp_path / "data", workers=1))
    return tmp_path / "data"


def published(data_dir: Path) -> list[str]:
    """Check that what is published is whole; give the sources of the corpus."""
    assert verify(data_dir) == []
    manifest = Store(data_dir).manifest("corpus")
    records = read_json(data_dir / f"{NAME}.json")
    assert len(records) == manifest["rows"]
    return [entry["name"] for entry in manifest["sources"]]


def nothing_left(data_dir: Path) -> None:
    """Check that no run left anything but its artifacts."""
    assert list((data_dir / "staging").iterdir()) == []
    kinds = [path for path in (data_dir / "artifacts").iterdir() if path.is_symlink()]
    assert len(list((data_dir / "artifacts").iterdir())) == 2 * len(kinds)
    assert not [path for path in data_dir.iterdir() if path.name.startswith(".")]


def all_of(session: int) -> list[psutil.Process]:
    """Give the living processes of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found


# The merging process dies

MERGE = """
import json, sys
from pathlib import Path
from mindcorpus import Settings, merge_all_datasets

def report(progress):
    print(progress.stage, flush=True)

paths = json.loads((Path(sys.argv[2]) / "paths.json").read_text())
settings = Settings(data_dir=sys.argv[1], workers=int(sys.argv[3]))
merge_all_datasets(paths=paths, settings=settings, force=True, report=report)
"""


def start(tmp_path: Path, data_dir: Path, raw: Path, workers: int) -> subprocess.Popen[bytes]:
    script = tmp_path / "merge.py"
    script.write_text(MERGE)
    process = python(
        script, data_dir, raw, workers, stdout=-1, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout
    return process


def reach(process: subprocess.Popen[bytes], stage: str) -> None:
    """Wait until a process told of a stage."""
    assert process.stdout
    for line in process.stdout:
        if line.decode().strip() == stage:
            return
    raise AssertionError(f"ended before {stage}")


@pytest.mark.parametrize(
    ("stage", "after", "workers"),
    [
        ("read", 0.0, 2),
        ("read", 0.3, 1),
        ("read", 0.2, 3),
        ("deduplicate", 0.0, 2),
        ("write", 0.0, 1),
        ("write", 0.05, 2),
        ("write", 0.15, 3),
        ("publish", 0.0, 2),
        ("publish", 0.01, 2),
        ("publish", 0.03, 2),
    ],
)
@pytest.mark.parametrize("how", [signal.SIGKILL])
def test_a_killed_merge_leaves_the_old_corpus_or_the_new_one_and_no_process(
    how: int, stage: str, after: float, workers: int, data_dir: Path, raw: Path, tmp_path: Path
) -> None:
    process = start(tmp_path, data_dir, raw, workers)
    reach(process, stage)
    time.sleep(after)
    os.kill(process.pid, how)
    process.communicate()
    killed = time.monotonic()
    while all_of(process.pid):
        assert time.monotonic() - killed < 2
        time.sleep(0.02)
    sources = published(data_dir)
    assert sources == ["TRACE"] or (stage == "publish" and len(sources) == 7)
    merge_sample(data_dir, sources=("Psych-101",), force=True)
    assert published(data_dir) == ["Psych-101"]
    nothing_left(data_dir)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_ends_all_of_it(
    how: int, data_dir: Path, raw: Path, tmp_path: Path
) -> None:
    process = start(tmp_path, data_dir, raw, 2)
    reach(process, "write")
    os.killpg(process.pid, how)
    process.communicate()
    assert process.returncode != 0
    killed = time.monotonic()
    while all_of(process.pid):
        assert time.monotonic() - killed < 2
        time.sleep(0.02)
    if how == signal.SIGINT:  # a KeyboardInterrupt, which cleans up
        nothing_left(data_dir)
    assert published(data_dir) == ["TRACE"]
    merge_sample(data_dir, sources=("Psych-101",), force=True)
    nothing_left(data_dir)


WATCHED = {"os.rename", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "open", "shutil.rmtree"}


def killed_at(number: int, work: Callable[[Callable[[Progress], None]], object]) -> bool:
    """Do work in a process that kills itself at a file system call, counted from `publish` on.

    Tells whether it got that far.
    """
    child = os.fork()
    if not child:
        try:
            _die_at(number, work)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _die_at(number: int, work: Callable[[Callable[[Progress], None]], object]) -> None:
    counted = -1

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal counted
        if counted >= 0 and event in WATCHED:
            if counted == number:
                os.kill(os.getpid(), signal.SIGKILL)
            counted += 1

    def report(progress: Progress) -> None:
        nonlocal counted
        if progress.stage == "publish":
            counted = 0

    sys.addaudithook(hook)
    work(report)


def test_a_merge_may_die_at_any_call_of_publishing(data_dir: Path) -> None:
    def work(report: Callable[[Progress], None]) -> object:
        return merge_sample(data_dir, 1, report, sources=("Psych-101",), force=True)

    seen = set()
    for number in range(1000):
        if not killed_at(number, work):
            break
        seen.add(*published(data_dir))
        merge_sample(data_dir, sources=("TRACE",), force=True)
        assert published(data_dir) == ["TRACE"]
        nothing_left(data_dir)
    assert number > 10
    assert seen == {"TRACE", "Psych-101"}


def test_a_first_merge_may_die_at_any_call_of_publishing(tmp_path: Path) -> None:
    def work(report: Callable[[Progress], None]) -> object:
        return merge_sample(folder, 1, report, sources=("TRACE",))

    for number in range(0, 1000, 2):
        folder = tmp_path / f"data {number}"
        if not killed_at(number, work):
            break
        if Store(folder).corpus_exists():
            assert published(folder) == ["TRACE"]
        else:
            with pytest.raises(NoCorpusError):
                Store(folder).manifest("corpus")
        merge_sample(folder, sources=("TRACE",), force=True)
        assert published(folder) == ["TRACE"]
        nothing_left(folder)
    assert number > 10


def test_a_prepare_may_die_at_any_call_of_publishing(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, workers=1)

    def work(report: Callable[[Progress], None]) -> object:
        return prepare(PrepareRequest(caps={"TRACE": 20}, force=True), settings, report)

    for number in range(0, 1000, 3):
        if not killed_at(number, work):
            break
        assert published(data_dir) == ["TRACE"]
        assert {entry["rows"] for entry in Store(data_dir).status().values()} <= {44, 20}
        prepare(PrepareRequest(force=True), settings)
        assert verify(data_dir) == []
        nothing_left(data_dir)
    assert number > 20


# A worker dies


@pytest.mark.parametrize("stage", ["read", "write"])
def test_a_worker_that_is_killed_ends_the_merge_and_nothing_else(
    stage: str, data_dir: Path, raw: Path
) -> None:
    killed: list[int] = []

    def report(progress: Progress) -> None:
        if progress.stage == stage and not killed:
            killed.extend(child.pid for child in psutil.Process().children()[:1])
            os.kill(killed[0], signal.SIGKILL)

    paths = json.loads((raw / "paths.json").read_text())
    settings = Settings(data_dir=data_dir, workers=2)
    before = digests(data_dir)
    with pytest.raises(WorkerLostError, match="signal 9"):
        merge(MergeRequest(paths=paths, force=True), settings, report)
    assert killed
    assert digests(data_dir) == before
    nothing_left(data_dir)
    assert psutil.Process().children() == []


# The disk is full, or may not be written

FULL = """
import json, os, sys
from pathlib import Path
from mindcorpus import MindcorpusError, Settings, Store, merge_all_datasets, prepare_all_formats
from mindcorpus.verifying import verify

disk, raw = map(Path, sys.argv[1:3])
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
        code = error.code if error.hint else "no hint"
    except Exception as error:
        code = f"{type(error).__name__}: {error}"
    left = len(list((data_dir / "staging").iterdir()))
    manifest = Store(data_dir).manifest("corpus")
    sources = [entry["name"] for entry in manifest["sources"]]
    print(json.dumps([code, sources, verify(data_dir), left]), flush=True)

for workers in (1, 2):
    settings = Settings(data_dir=data_dir, workers=workers)
    for free in (0, 4, 40, 400, 1200, 2000, 3000, 6000, 12000, 16000, 24000, 30000, 36000, 42000, 46000):
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
from mindcorpus.verifying import verify

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
        print(json.dumps([error.code, error.title, error.hint, verify(disk / "data")]), flush=True)
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
    told = on_a_disk(namespace, FULL, 100, tmp_path, raw)
    assert [damage for _, _, damage, _ in told] == [[]] * len(told)
    assert {left for *_, left in told} == {0}
    codes = [code for code, *_ in told]
    assert set(codes) == {"storage", "done"}
    for code, sources, *_ in told[::2]:
        assert sources == ["TRACE"] if code == "storage" else len(sources) == 7
    # Each was met in both: merges and prepares, with one worker and with two.
    for workers in range(2):
        for what in range(2):
            assert set(codes[workers * 30 + what : (workers + 1) * 30 : 2]) == {"storage", "done"}


def test_a_read_only_disk_is_a_storage_error(namespace: list[str], tmp_path: Path) -> None:
    told = on_a_disk(namespace, READ_ONLY, 20, tmp_path)
    assert len(told) == 3
    for code, title, hint, damage in told:
        assert (code, title) == ("storage", "cannot write: read-only file system")
        assert "--data-dir" in hint
        assert damage == []


def in_a_child(work: Callable[[], object]) -> dict[str, Any]:
    """Do work in a process of its own; give the error of ours it ends with."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        try:
            told: object = "no error"
            try:
                work()
            except MindcorpusError as error:
                told = error.as_dict()
            except BaseException as error:  # noqa: BLE001 - told in the parent
                told = repr(error)
            os.write(write_end, json.dumps(told).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as file:
        found = json.loads(file.read())
    os.waitpid(child, 0)
    assert isinstance(found, dict), found
    return found


@pytest.mark.parametrize(("mode", "corpus"), [(0o555, True), (0o555, False), (0o000, True)])
def test_a_folder_that_may_not_be_written_is_a_storage_error(
    mode: int, corpus: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mine")
    data_dir = folder / "data"
    data_dir.mkdir()
    if corpus:
        merge_sample(data_dir, sources=("TRACE",))

    def work() -> None:
        if os.getuid() == 0:  # whom no permission stops
            os.setuid(65534)
        merge_sample(data_dir, sources=("TRACE",), force=True)

    parents = [path for path in folder.parents if path.stat().st_uid == os.getuid()]
    modes = {path: path.stat().st_mode for path in (folder, *parents)}
    try:
        for path in modes:
            path.chmod(modes[path] | 0o111)
        for path in (data_dir, data_dir / "artifacts", data_dir / "staging"):
            if path.exists():
                path.chmod(mode)
        error = in_a_child(work)
    finally:
        for path in (data_dir, data_dir / "artifacts", data_dir / "staging"):
            if path.exists():
                path.chmod(0o755)
        for path in modes:
            path.chmod(modes[path])
    assert error["code"] == "storage"
    assert error["title"] == "cannot write: permission denied"
    assert "permissions" in error["hint"]
    if corpus:
        assert published(data_dir) == ["TRACE"]


def test_a_limit_on_the_size_of_files_is_a_storage_error(data_dir: Path, raw: Path) -> None:
    paths = json.loads((raw / "paths.json").read_text())

    def work(workers: int) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
        merge(MergeRequest(paths=paths, force=True), Settings(data_dir=data_dir, workers=workers))

    for workers in (1, 2):
        error = in_a_child(lambda workers=workers: work(workers))  # type: ignore[misc]
        assert error["code"] == "storage"
        assert error["hint"]
        assert published(data_dir) == ["TRACE"]
        nothing_left(data_dir)


# Readers while others publish


def test_readers_never_see_a_torn_corpus(data_dir: Path) -> None:
    stop = threading.Event()
    torn: list[str] = []
    seen: dict[str, int] = {"whole": 0, "gone": 0}

    def read_by_folder() -> None:
        store = Store(data_dir)
        while not stop.is_set():
            folder = store.folder("corpus")
            try:
                manifest = read_manifest(folder)
                sizes = {
                    out["path"]: (folder / out["path"]).stat().st_size
                    for out in manifest["outputs"]
                }
            except (FileNotFoundError, CorruptArtifactError):
                if folder.exists():
                    torn.append(f"{folder} lacks something")
                seen["gone"] += 1
                continue
            if sizes != {output["path"]: output["bytes"] for output in manifest["outputs"]}:
                torn.append(f"{folder} is not whole")
            seen["whole"] += 1

    def read_by_link() -> None:
        while not stop.is_set():
            try:
                records = json.loads((data_dir / f"{NAME}.json").read_bytes())
            except FileNotFoundError:
                seen["gone"] += 1
            except ValueError:
                torn.append("half a file")
            else:
                if len({record["source"] for record in records}) != 1:
                    torn.append("a mixture")

    def ask() -> None:
        while not stop.is_set():
            try:
                if not Store(data_dir).corpus_exists():
                    torn.append("no corpus")
                Store(data_dir).manifest("corpus")
                Store(data_dir).status()
            except MindcorpusError as error:
                torn.append(f"{error.code}: {error}")

    threads = [threading.Thread(target=each) for each in (read_by_folder, read_by_link, ask)]
    for thread in threads:
        thread.start()
    try:
        for number in range(24):
            source = ("TRACE", "Psych-101")[number % 2]
            merge_sample(data_dir, sources=(source,), force=True)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert torn == []
    assert seen["whole"] > 20


def test_a_prepare_beside_a_forced_merge_ends_whole_or_with_an_error_of_ours(
    data_dir: Path,
) -> None:
    stop = threading.Event()
    strange: list[BaseException] = []
    ends: dict[str, int] = {}

    def prepare_on() -> None:
        settings = Settings(data_dir=data_dir, workers=1)
        while not stop.is_set():
            try:
                prepare(PrepareRequest(force=True), settings)
                ends["done"] = ends.get("done", 0) + 1
            except MindcorpusError as error:
                ends[error.code] = ends.get(error.code, 0) + 1
            except BaseException as error:  # noqa: BLE001 - told below
                strange.append(error)

    thread = threading.Thread(target=prepare_on)
    thread.start()
    for number in range(30):
        source = ("TRACE", "Psych-101")[number % 2]
        merge_sample(data_dir, sources=(source,), force=True)
    stop.set()
    thread.join()
    assert strange == []
    assert ends["done"]
    assert verify(data_dir) == []


def test_a_storage_error_of_a_worker_is_one_of_the_parent(data_dir: Path) -> None:
    """The staging area loses its folder while workers write: an error of ours, no traceback."""

    def report(progress: Progress) -> None:
        if progress.stage == "write":
            raise StorageError("cannot write: disk quota exceeded")

    for workers in (1, 2):
        with pytest.raises(StorageError):
            merge_sample(data_dir, workers, report, force=True)
        nothing_left(data_dir)
