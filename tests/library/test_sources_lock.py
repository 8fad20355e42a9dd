from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mindcorpus.errors import SettingsError, StorageError
from mindcorpus.sources.lock import LockedFile, LockedSource, SourcesLock

hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
paths = st.text(
    st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1
).filter(lambda path: path != "..")
files = st.dictionaries(paths, st.builds(LockedFile, size=st.integers(0), sha256=hexes), max_size=3)
revisions = st.text("0123456789abcdef", min_size=40, max_size=40) | st.just("")
locked = st.builds(
    LockedSource,
    repository=paths,
    revision=revisions,
    split=st.just("") | paths,
    files=files,
)
locks = st.builds(SourcesLock, sources=st.dictionaries(paths, locked, max_size=3))


def entry(**changes: object) -> dict[str, object]:
    file = {"size": 3, "sha256": "a" * 64}
    return {"repository": "o/n", "revision": "b" * 40, "files": {"f.csv": file}, **changes}


def test_a_missing_lock_is_empty(tmp_path: Path) -> None:
    assert SourcesLock.read(tmp_path / "sources.lock") == SourcesLock()


@given(lock=locks)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, lock: SourcesLock
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.lock"
    lock.write(path)
    assert SourcesLock.read(path) == lock


def test_the_file_is_readable_and_its_bytes_depend_on_the_lock_alone(tmp_path: Path) -> None:
    one, two = (
        LockedSource.model_validate(entry()),
        LockedSource.model_validate(entry(repository="o/m")),
    )
    SourcesLock().with_sources({"b": one, "a": two}).write(tmp_path / "1")
    SourcesLock().with_sources({"a": two}).with_sources({"b": one}).write(tmp_path / "2")
    text = (tmp_path / "1").read_text()
    assert text == (tmp_path / "2").read_text()
    assert text.endswith("}\n")
    assert list(json.loads(text)["sources"]) == ["a", "b"]
    assert '\n  "version": 1\n' in text


def test_a_lock_without_splits_can_still_be_read(tmp_path: Path) -> None:
    (tmp_path / "sources.lock").write_text(json.dumps({"sources": {"a": entry()}}))
    assert SourcesLock.read(tmp_path / "sources.lock").sources["a"].split == ""


def test_sources_are_added_and_replaced(tmp_path: Path) -> None:
    old, new = (
        LockedSource.model_validate(entry()),
        LockedSource.model_validate(entry(revision="c" * 40)),
    )
    lock = SourcesLock(sources={"a": old, "b": old}).with_sources({"b": new})
    assert (lock.sources["a"], lock.sources["b"]) == (old, new)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StorageError) as caught:
        SourcesLock().write(tmp_path / "data" / "sources.lock")
    assert caught.value.hint


def test_a_write_replaces_the_lock_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "sources.lock"
    SourcesLock().write(path)
    lock = SourcesLock(sources={"a": LockedSource.model_validate(entry())})
    lock.write(path)
    assert SourcesLock.read(path) == lock
    assert [file.name for file in tmp_path.iterdir()] == ["sources.lock"]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"not json", None),
        (b"\xff\xfe", None),
        (b"[]", None),
        (b'{"version": 2}', "version"),
        (json.dumps({"sources": {"a": entry(revision="main")}}).encode(), "sources.a.revision"),
        (
            json.dumps(
                {"sources": {"a": entry(files={"f": {"size": -1, "sha256": "a" * 64}})}}
            ).encode(),
            "sources.a.files.f.size",
        ),
        (
            json.dumps({"sources": {"a": entry(files={"f": {"size": 1, "sha256": "x"}})}}).encode(),
            "sources.a.files.f.sha256",
        ),
        (
            json.dumps(
                {"sources": {"a": entry(files={"../f": {"size": 1, "sha256": "a" * 64}})}}
            ).encode(),
            "sources.a.files",
        ),
        (json.dumps({"sources": {"a": entry(extra=1)}}).encode(), "sources.a.extra"),
    ],
)
def test_a_broken_lock_is_named_with_its_field(
    tmp_path: Path, content: bytes, field: str | None
) -> None:
    path = tmp_path / "sources.lock"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        SourcesLock.read(path)
    assert caught.value.file == str(path)
    assert caught.value.field == field
    assert caught.value.hint


def test_a_lock_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "sources.lock").mkdir()
    with pytest.raises(SettingsError, match="cannot be read: is a directory"):
        SourcesLock.read(tmp_path / "sources.lock")
