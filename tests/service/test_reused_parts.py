"""A second merge of a service reads what changed; damage is found, mended and told everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from one_source import Here, service_here, words

from mindcorpus.job_requests import MergeRequest
from mindcorpus.merging.merge import merge
from mindcorpus.settings import Settings


@pytest.fixture
def here(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    with service_here(redis_url, tmp_path, monkeypatch) as here:
        yield here


def records(data: Path) -> Path:
    (found,) = (data / "parts").glob("*/part.arrow")
    return found


def build(here: Here) -> str:
    return os.readlink(here.data / "artifacts/corpus")


def test_where_nothing_changed_a_job_says_so_and_the_corpus_stays(here: Here) -> None:
    here.lose(0, 4)
    first = here.do()
    assert first["result"]["parts"] == {"reused": 0, "made": 1, "damaged": 0}
    assert not first["result"]["unchanged"]
    before = build(here)
    again = here.do(force="on")
    assert again["state"] == "succeeded"
    assert again["result"]["unchanged"]
    assert again["result"]["parts"] == {"reused": 1, "made": 0, "damaged": 0}
    assert again["result"]["artifacts"] == first["result"]["artifacts"]
    assert build(here) == before
    page = here.visitor.get(f"/jobs/{again['id']}").text
    assert "Nothing has changed: the corpus stays as it was." in words(page)


def test_a_damaged_part_is_made_anew_and_told(here: Here) -> None:
    here.lose(0, 4)
    here.do()
    before = build(here)
    content = bytearray(records(here.data).read_bytes())
    content[len(content) // 2] ^= 1
    records(here.data).write_bytes(content)
    job = here.do(force="on", rehash="on")
    assert job["request"]["rehash"]
    assert job["result"]["parts"] == {"reused": 0, "made": 1, "damaged": 1}
    assert not job["result"]["unchanged"]
    # The same content, in a build of its own.
    assert build(here).startswith(f"{before}-")
    page = words(here.visitor.get(f"/jobs/{job['id']}").text)
    assert "1 part of sources that were kept from before was damaged, and made anew." in page
    assert "Reads all files anew" in page
    assert here.do(force="on", rehash="on")["result"]["parts"]["damaged"] == 0


def test_a_service_and_a_merge_beside_it_share_what_they_read(here: Here) -> None:
    here.lose(0, 4)
    here.do()
    request = MergeRequest(
        sources=("own",), catalogs=(str(here.raw / "own.toml"),), force=True, rehash=True
    )
    beside = merge(request, Settings(data_dir=here.data, workers=1))
    assert beside.parts == {"reused": 1, "made": 0, "damaged": 0}
    assert here.do(force="on")["result"]["unchanged"]
