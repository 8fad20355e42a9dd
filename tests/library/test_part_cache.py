"""Parts that outlive a merge: kept once, found whole, forgotten when nobody uses them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from catalog_entry import ENTRY

import mindcorpus
from mindcorpus.errors import DataError, StorageError
from mindcorpus.merging.part_cache import PartCache, part_key
from mindcorpus.merging.parts import Dropped, Part
from mindcorpus.sources.catalog import Source, load_catalog
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.readers import Drop, Shard
from mindcorpus.storage.store import Store

DAY = 86400


@pytest.fixture
def stored(tmp_path: Path) -> PartCache:
    return PartCache(Store(tmp_path / "data"))


def build(text: str = "records", *dropped: Dropped) -> Callable[[Path], Part]:
    """Give what builds a part of some text."""

    def write(target: Path) -> Part:
        index, records = target.with_suffix(".index.parquet"), target.with_suffix(".arrow")
        index.write_text("index")
        records.write_text(text)
        return Part(3, 3, 2, 1, 0, index, records, dropped, 90, "{}")

    return write


def folders(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "data/parts").iterdir())


def test_what_is_made_is_found(stored: PartCache, tmp_path: Path) -> None:
    assert stored.find("a") is None
    made = stored.make("a", build("records", Dropped(Drop(1, "blank-input", "", 2), 4)))
    assert stored.find("a") == made
    assert (made.rows, made.rows_read, made.kept) == (3, 3, 2)
    assert made.dropped == (Dropped(Drop(1, "blank-input", "", 2), 4),)
    assert made.records.read_text() == "records"
    assert made.index.is_relative_to(tmp_path / "data/parts/a")
    assert list((tmp_path / "data/staging").iterdir()) == []


def test_one_that_is_there_stays_whoever_comes_later(stored: PartCache) -> None:
    first = stored.make("a", build("first"))
    again = stored.make("a", build("second"))
    assert again == first
    assert again.records.read_text() == "first"


def test_many_that_make_the_same_at_once_get_one(stored: PartCache, tmp_path: Path) -> None:
    found: list[Part] = []
    barrier = threading.Barrier(4)

    def make(text: str) -> None:
        def slowly(target: Path) -> Part:
            barrier.wait(10)
            return build(text)(target)

        found.append(stored.make("a", slowly))

    threads = [threading.Thread(target=make, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 4
    assert len({part.records.read_text() for part in found}) == 1
    assert folders(tmp_path) == ["a"]


def test_what_fails_leaves_nothing(stored: PartCache, tmp_path: Path) -> None:
    def broken(target: Path) -> Part:
        build()(target)
        raise DataError("broken")

    with pytest.raises(DataError):
        stored.make("a", broken)
    assert stored.find("a") is None
    assert not (tmp_path / "data/parts").exists()
    assert list((tmp_path / "data/staging").iterdir()) == []


def test_a_file_in_the_way_is_the_storage_s_error(stored: PartCache, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/parts").write_text("in the way")
    with pytest.raises(StorageError):
        stored.make("a", build())


def test_what_nobody_used_for_days_is_forgotten(stored: PartCache, tmp_path: Path) -> None:
    assert stored.forget_unused(7) == 0
    # Named as `part_key` does: what has another name is not of our making.
    old, used, new, foreign = "a" * 32, "b" * 32, "c" * 32, "of mine"
    for name in (old, used, new, foreign):
        stored.make(name, build())
    for name in (old, used, foreign):
        before = time.time() - 8 * DAY
        os.utime(tmp_path / "data/parts" / name, (before, before))
    assert stored.find(used) is not None
    assert stored.forget_unused(7) == 1
    assert folders(tmp_path) == sorted([new, used, foreign])
    assert stored.find(old) is None
    assert list((tmp_path / "data/staging").iterdir()) == []


# Names


def source(tmp_path: Path, old: str = "", new: str = "") -> Source:
    """Give a source of a test's own; one text of its entry may be another."""
    catalog = tmp_path / "own.toml"
    catalog.write_text(ENTRY.replace(old, new) if old else ENTRY)
    return load_catalog([catalog])["own"]


def key(of: Source, sha256: str = "1" * 64, path: str = "rows.csv", stop: int = 10) -> str:
    file = FetchedFile(path, Path("anywhere"), 10, sha256)
    return part_key(of, file, Shard(Path("elsewhere"), path, "csv", 0, stop), ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('type = "talk"', 'type = "chat"'),
        ('tags = ["a"]', 'tags = ["b"]'),
        ('input = "q"', 'input = "question"'),
    ],
)
def test_a_part_is_named_after_how_its_source_is_read(tmp_path: Path, old: str, new: str) -> None:
    assert key(source(tmp_path, old, new)) != key(source(tmp_path))


def test_a_part_is_named_after_bytes_and_not_after_places(tmp_path: Path) -> None:
    own = source(tmp_path)
    names = [key(own), key(own, "2" * 64), key(own, path="other.csv"), key(own, stop=11)]
    assert len(set(names)) == 4
    moved = FetchedFile("rows.csv", Path("/moved"), 99, "1" * 64)
    assert part_key(own, moved, Shard(Path("/moved"), "rows.csv", "csv", 0, 10), ()) == names[0]


def test_licences_and_notes_make_no_part_anew(tmp_path: Path) -> None:
    assert key(source(tmp_path, "Keep the notice.", "Keep it.")) == key(source(tmp_path))


def test_bytes_that_nobody_read_name_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="bytes that were read"):
        key(source(tmp_path), sha256="")


_NAME_A_PART = """
import sys
from pathlib import Path
from mindcorpus.merging.part_cache import part_key
from mindcorpus.sources.catalog import load_catalog
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.readers import Shard
from mindcorpus.stages.registry import StageEntry, choose, register

if len(sys.argv) > 2:
    register(StageEntry("shout", "", "", "record", module="shout"))
own = load_catalog([Path(sys.argv[1])])["own"]
file = FetchedFile("rows.csv", Path("anywhere"), 10, "1" * 64)
print(part_key(own, file, Shard(Path(), "rows.csv", "csv", 0, 10), choose(None).of_records))
"""


def name_in(code: Path, catalog: Path, *stages: str) -> str:
    """Give the name of a part as a copy of the package gives it."""
    done = subprocess.run(
        [sys.executable, "-c", _NAME_A_PART, str(catalog), *stages],
        env={**os.environ, "PYTHONPATH": str(code)},
        cwd=catalog.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_part_is_named_after_all_code_that_may_have_made_it(tmp_path: Path) -> None:
    catalog = tmp_path / "own.toml"
    catalog.write_text(ENTRY)
    code = tmp_path / "code"
    ignored = shutil.ignore_patterns("__pycache__", "sample")
    shutil.copytree(Path(mindcorpus.__file__).parent, code / "mindcorpus", ignore=ignored)
    names = {"as it is": name_in(code, catalog)}
    # What reads, adapts and encodes, and what these import, in whatever way.
    for file in (
        *("merging/parts.py", "sources/readers/parquet.py", "sources/adapters.py", "records.py"),
        *("merging/plain_lines.py", "corpus/joined_texts.py", "corpus/encoding.py", "arrow.py"),
        *("limits.py", "stages/base.py"),
    ):
        path = code / "mindcorpus" / file
        before = path.read_text()
        path.write_text(f"{before}\n# Changed.\n")
        names[file] = name_in(code, catalog)
        path.write_text(before)
    assert len(set(names.values())) == len(names)
    assert name_in(code, catalog) == names["as it is"]
    for file in ("cli/tables.py", "merging/assemble.py", "merging/write.py", "report/html.py"):
        path = code / "mindcorpus" / file
        path.write_text(f"{path.read_text()}\n# Changed.\n")
    assert name_in(code, catalog) == names["as it is"]


_SHOUT = """
from dataclasses import dataclass
from typing import ClassVar
from mindcorpus.stages.base import NO_FACTS, Verdict

@dataclass(frozen=True)
class Shout:
    name: ClassVar[str] = "shout"
    version: ClassVar[int] = 1
    loud: int = 1

    def apply(self, record):
        return record, Verdict()

    def facts(self):
        return NO_FACTS

STAGE = Shout
"""


def test_a_part_is_named_after_the_stages_that_looked_at_its_records(tmp_path: Path) -> None:
    catalog = tmp_path / "own.toml"
    catalog.write_text(ENTRY)
    root = str(Path(mindcorpus.__file__).parents[1])
    (tmp_path / "shout.py").write_text(_SHOUT)
    paths = f"{tmp_path}{os.pathsep}{root}"
    names = [name_in(Path(root), catalog), name_in(Path(paths), catalog, "shout")]
    for old, new in (
        ("loud: int = 1", "loud: int = 2"),
        ("version: ClassVar[int] = 1", "version: ClassVar[int] = 2"),
        ("STAGE = Shout", "STAGE = Shout  # as before"),
    ):
        (tmp_path / "shout.py").write_text(_SHOUT.replace(old, new))
        names.append(name_in(Path(paths), catalog, "shout"))
    assert len(set(names)) == 5


@pytest.mark.parametrize(
    ("imports", "file"),
    [
        ("import helper", "helper.py"),
        ("from helper import loud", "helper.py"),
        ("from helpers.deep import loud", "helpers/deep.py"),
        ("from helpers import deep", "helpers/deep.py"),
        ("from helpers.deep import loud", "helpers/__init__.py"),
        ("import helper", "helpers/deep.py"),
    ],
)
def test_a_part_is_named_after_helpers_of_other_packages(
    imports: str, file: str, tmp_path: Path
) -> None:
    catalog = tmp_path / "own.toml"
    catalog.write_text(ENTRY)
    (tmp_path / "shout.py").write_text(f"{imports}\n{_SHOUT}")
    (tmp_path / "helper.py").write_text("def loud():\n    from helpers import deep\n")
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers/__init__.py").touch()
    (tmp_path / "helpers/deep.py").write_text("loud = 1\n")
    paths = Path(f"{tmp_path}{os.pathsep}{Path(mindcorpus.__file__).parents[1]}")
    before = name_in(paths, catalog, "shout")
    with (tmp_path / file).open("a") as changed:
        changed.write("# Changed.\n")
    assert name_in(paths, catalog, "shout") != before


def test_a_part_is_named_after_the_versions_of_installed_libraries(tmp_path: Path) -> None:
    catalog = tmp_path / "own.toml"
    catalog.write_text(ENTRY)
    (tmp_path / "shout.py").write_text(f"import library\n{_SHOUT}")
    installed = tmp_path / "site-packages"
    (installed / "library.dist-info").mkdir(parents=True)
    (installed / "library.py").touch()
    root = Path(mindcorpus.__file__).parents[1]
    paths = Path(os.pathsep.join(map(str, (tmp_path, installed, root))))
    names = []
    for version, code in (("1", ""), ("1", "# Changed.\n"), ("2", "")):
        (installed / "library.py").write_text(code)
        metadata = f"Metadata-Version: 2.1\nName: library\nVersion: {version}\n"
        (installed / "library.dist-info/METADATA").write_text(metadata)
        names.append(name_in(paths, catalog, "shout"))
    assert names[0] == names[1] != names[2]


def test_a_part_is_named_after_the_data_that_its_stages_read(tmp_path: Path) -> None:
    catalog = tmp_path / "own.toml"
    catalog.write_text(ENTRY)
    data = tmp_path / "words.txt"
    files = f"files = (__import__('pathlib').Path({str(data)!r}),)"
    stage = _SHOUT.replace("    loud: int = 1", f"    {files}\n    loud: int = 1")
    (tmp_path / "shout.py").write_text(stage)
    paths = Path(f"{tmp_path}{os.pathsep}{Path(mindcorpus.__file__).parents[1]}")
    names = []
    for text in ("one", "two", "one"):
        data.write_text(text)
        names.append(name_in(paths, catalog, "shout"))
    assert names[0] == names[2] != names[1]
