"""Hub repositories with configurations: the entry names one, an error lists those there are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from files_of_data import PACKED, ROWS, lines_of, pairs_of, written

from mindcorpus.errors import CatalogError, NotFoundError
from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import MergeResult, merge
from mindcorpus.settings import Settings
from mindcorpus.sources.lock import SourcesLock

if TYPE_CHECKING:
    from hub_server import HubServer

CARD = b"""---
configs:
- config_name: kind
  data_files:
  - split: train
    path: kind/*.jsonl
- config_name: harsh
  data_files:
  - split: train
    path: harsh/train.jsonl
  - split: test
    path: harsh/test.jsonl.gz
---
"""
FILES = {
    "kind/train.jsonl": lines_of(ROWS[:2]),
    "harsh/train.jsonl": lines_of(ROWS[2:]),
    "harsh/test.jsonl.gz": PACKED[".gz"](lines_of(ROWS)),
}


def publish(hub: HubServer, files: dict[str, bytes]) -> None:
    written(hub.root / "datasets/some-one/two", files)


def catalog(tmp_path: Path, said: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(
        f'[[source]]\nname = "Own"\nrepository = "some-one/two"\ntype = "talk"\n{said}\n'
        '[source.options]\ninput = "question"\nresponse = "answer"\n'
        '[source.licence]\nid = "MIT"\nterms = "Keep."\ncommercial = "yes"\n'
    )
    return path


def merged(tmp_path: Path, said: str = "") -> MergeResult:
    request = MergeRequest(catalogs=(str(catalog(tmp_path, said)),), sources=("Own",), force=True)
    settings = Settings(data_dir=tmp_path / "out", cache_dir=tmp_path / "cache", workers=1)
    return merge(request, settings)


def test_without_a_name_an_error_lists_the_configurations(hub: HubServer, tmp_path: Path) -> None:
    publish(hub, {**FILES, "README.md": CARD})
    with pytest.raises(NotFoundError, match="several configurations") as caught:
        merged(tmp_path)
    assert "It has kind, harsh" in caught.value.hint
    assert 'config = "kind"' in caught.value.hint


def test_the_one_that_is_named_is_read_alone_and_locked(hub: HubServer, tmp_path: Path) -> None:
    publish(hub, {**FILES, "README.md": CARD})
    assert pairs_of(merged(tmp_path, 'config = "kind"')) == ROWS[:2]
    lock = SourcesLock.read(tmp_path / "out/sources.lock").sources["Own"]
    assert (lock.config, lock.split, list(lock.files)) == ("kind", "train", ["kind/train.jsonl"])
    # The lock names files of the other configuration: they are found anew.
    assert pairs_of(merged(tmp_path, 'config = "harsh"')) == ROWS[2:]


def test_a_configuration_has_splits_and_they_may_be_compressed(
    hub: HubServer, tmp_path: Path
) -> None:
    publish(hub, {**FILES, "README.md": CARD})
    assert pairs_of(merged(tmp_path, 'config = "harsh"\nsplit = "test"')) == ROWS


@pytest.mark.parametrize("config", ["gentle", "../two", "."])
def test_one_that_is_not_there_is_an_error_that_lists_them(
    hub: HubServer, tmp_path: Path, config: str
) -> None:
    publish(hub, {**FILES, "README.md": CARD})
    with pytest.raises(NotFoundError, match="no configuration") as caught:
        merged(tmp_path, f'config = "{config}"')
    assert "It has kind, harsh" in caught.value.hint


def test_folders_without_a_card_are_not_mixed_and_can_be_named(
    hub: HubServer, tmp_path: Path
) -> None:
    publish(hub, FILES)
    with pytest.raises(NotFoundError, match="folders of the same files") as caught:
        merged(tmp_path)
    assert "It has harsh, kind" in caught.value.hint
    assert pairs_of(merged(tmp_path, 'config = "harsh"')) == ROWS[2:]


def test_a_configuration_beside_named_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no files are named"):
        merged(tmp_path, 'config = "kind"\n[[source.files]]\npath = "kind/train.jsonl"')


def test_a_compressed_file_at_a_url_comes_as_it_is(hub: HubServer, tmp_path: Path) -> None:
    """The stand-in, as many servers, says that its answer is gzip; the file is what is meant."""
    publish(hub, FILES)
    url = f"{hub.url}/datasets/some-one/two/resolve/main/harsh/test.jsonl.gz"
    path = catalog(tmp_path, "")
    home = 'repository = "some-one/two"'
    path.write_text(path.read_text().replace(home, f'url = "{url}"'))
    request = MergeRequest(catalogs=(str(path),), sources=("Own",))
    settings = Settings(data_dir=tmp_path / "out", cache_dir=tmp_path / "cache", workers=1)
    result = merge(request, settings)
    assert pairs_of(result) == ROWS
    (file,) = result.manifest["sources"][0]["files"]
    assert file["size"] == len(FILES["harsh/test.jsonl.gz"])


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not here")
@pytest.mark.parametrize("named", ["HF_HOME", "MINDCORPUS_CACHE_DIR", ""])
def test_a_cache_that_cannot_be_written_is_named_not_the_data_folder(
    hub: HubServer, tmp_path: Path, named: str
) -> None:
    publish(hub, FILES)
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HF_HOME", "HF_HUB_CACHE", "MINDCORPUS_CACHE_DIR", "XDG_CACHE_HOME")
    }
    environment |= {"HOME": str(home)} | ({named: str(home / "cache")} if named else {})
    privileges = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
    command = [sys.executable, "-m", "mindcorpus.cli.main", "merge", "--source", "Own"]
    command += ["--catalog", str(catalog(tmp_path, 'config = "kind"'))]
    command += ["--data-dir", str(tmp_path / "out")]
    unprivileged = privileges if os.geteuid() == 0 else []
    done = subprocess.run(
        [*unprivileged, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 6, done.stderr
    assert "cannot use the cache of downloads: permission denied" in done.stderr
    assert "HF_HOME" in done.stderr
    assert "MINDCORPUS_CACHE_DIR" in done.stderr
    assert "data folder" not in done.stderr
