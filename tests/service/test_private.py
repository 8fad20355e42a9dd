"""Private by default: what is kept is its owner's alone, whoever wrote it, and in every folder."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from command_line import run
from local_service import ROOT, LocalService

from mindcorpus.api import merge_all_datasets, prepare_all_formats
from mindcorpus.client.service import ServiceClient
from mindcorpus.settings import Settings
from mindcorpus.storage.status import OUTDATED
from mindcorpus.verify import verify

if TYPE_CHECKING:
    from mindcorpus.merging.merge import MergeResult


@pytest.fixture(autouse=True)
def loose() -> Iterator[None]:
    """Begin as most accounts do: what a process makes may be read by all."""
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022, "the caller's umask was changed"


def readable(*folders: Path) -> list[str]:
    """Give what group or others could read of folders and of all in them; links are nobody's."""
    found = []
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and mode & 0o077:
                found.append(str(path))
    return found


def test_nothing_that_is_kept_can_be_read_by_others(tmp_path: Path) -> None:
    with LocalService(tmp_path) as local:
        local.expect("Ctrl-C stops it.")
        assert "Warning: " not in local.said
        home = tmp_path / "datasets"
        with ServiceClient(local.url, local.token) as client:
            fetched = client.download("mental_health_openai.jsonl", tmp_path / "fetched.jsonl")
        checks = httpx2.get(f"{local.url}/readyz").json()["checks"]
        (private,) = (check for check in checks if check["check"] == "private")
        assert (private["ok"], private["hint"]) == (True, "")
        # The service has merged and prepared; beside it the command line does so.
        for words in (
            ("merge", "--sample", "--source", "MentalChat16K", "--force"),
            ("prepare", "openai", "--force"),
            ("stats", "--html", "corpus.html"),
            ("rollback",),
        ):
            ran = run(*words, cwd=tmp_path)
            assert ran.code == 0, ran.err
        backup = _backup(tmp_path)
        # Redis' file, its configuration and the logs are looked at while all of it runs.
        found = [path for path in home.rglob("*") if path.is_file()]
        for part in ("appendonlydir", "logs", "parts", "artifacts"):
            assert any(part in path.parts for path in found), part
        assert readable(home) == []
        assert readable(fetched, tmp_path / "corpus.html", backup) == []
        local.process.send_signal(signal.SIGINT)
        assert local.end() == 0
    assert readable(home) == []
    _restored(backup, tmp_path / "restored", home)


def _backup(folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "web", "backup", "backup.tar"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MINDCORPUS_DATA_DIR": "datasets"},
        check=True,
    )
    return folder / "backup.tar"


def _restored(backup: Path, target: Path, home: Path) -> None:
    """Check that a backup holds what was published, and tokens, and works where it is unpacked."""
    with tarfile.open(backup) as archive:
        archive.extractall(target, filter="tar")
    for kind in ("corpus", "openai", "huggingface"):
        assert os.readlink(target / "data/artifacts" / kind) == os.readlink(
            home / "artifacts" / kind
        )
    # The corpus was brought back after this format was made of the other one.
    (problem,) = verify(target / "data")
    assert (problem["kind"], problem["problem"]) == ("openai", OUTDATED["corpus-changed"])
    assert len(json.loads((target / "data/merged_mental_health_dataset.json").read_bytes())) > 0
    assert list(target.rglob("tokens.json"))
    assert not list(target.rglob("appendonlydir"))
    assert not (target / "data/staging").exists()
    assert readable(target / "data/artifacts") == []


def merged(data_dir: Path, **settings: object) -> MergeResult:
    return merge_all_datasets(
        data_dir, sample=True, sources=("TRACE",), force=True, settings=Settings.load(**settings)
    )


def test_a_library_call_makes_private_files_and_leaves_the_umask_alone(tmp_path: Path) -> None:
    home = tmp_path / "above/data"
    merged(home)
    prepare_all_formats(home)
    merged(home)
    assert readable(tmp_path / "above") == []


def test_a_group_may_read_where_the_setting_says_so(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files to a group it is not in")
    home = tmp_path / "data"
    merged(home, group="4242")
    artifacts = home / "artifacts"
    for path in (home, artifacts, *artifacts.resolve().glob("corpus/**/*")):
        status = path.stat()
        assert status.st_gid == 4242, path
        assert stat.S_IMODE(status.st_mode) == (0o750 if path.is_dir() else 0o640), path
    assert run("merge", "--sample", cwd=tmp_path, MINDCORPUS_GROUP="no such group").code == 3


def test_folders_of_before_are_warned_about_and_closed_by_one_command(tmp_path: Path) -> None:
    home = tmp_path / "datasets"
    merged(home)
    mine = home / "artifacts/my model/weights"
    mine.parent.mkdir()
    mine.write_text("mine")
    outside = tmp_path / "outside"
    outside.write_text("mine")
    outside.chmod(0o644)
    (home / "raw").symlink_to(tmp_path)
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    before = readable(home)
    ran = run("private", "--dry-run", "--json", cwd=tmp_path)
    named = {each["path"] for each in json.loads(ran.out)}
    assert readable(home) == before, "a dry run changes nothing"
    ran = run("private", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert f"{len(named):,} files and folders were closed" in ran.out
    assert readable(home) == [str(mine.parent), str(mine)], "what is not ours is not changed"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    assert "Nobody else" in run("private", cwd=tmp_path).out
    assert verify(home) == []
