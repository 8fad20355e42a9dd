"""What answers must not hold: where the server keeps things, and names that pass for others."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from own_sources import own_source

from mindcorpus.api import merge_all_datasets
from mindcorpus.errors import DataError
from mindcorpus.report.words import visible
from web.paths import shown

if TYPE_CHECKING:
    from playing import Player
    from running import Service

OWN = {"Sec-Fetch-Site": "same-origin"}
CORPUS = "merged_mental_health_dataset.json"
HUGGINGFACE = "mental_health_huggingface"
#: Looks like "grief" where the direction turns.
TURNED = "\u202efeirg"


def test_no_answer_says_where_the_server_keeps_things(
    quiet: Service, asking: httpx2.Client, corpus: Path, playing: Player
) -> None:
    job = asking.post("/prepare", json={"format": "openai", "force": True}).json()["id"]
    playing.take(job)
    file = corpus / "raw" / "RedditESS" / "posts.csv"
    playing.fail(job, DataError("a row is cut off", file=str(file), row=7))
    error = asking.get(f"/jobs/{job}").json()["error"]
    assert error["detail"] == "a row is cut off (row 7)"
    assert asking.get("/merge").json()["path"] == CORPUS
    answers = [
        asking.get(path)
        for path in ("/jobs", f"/jobs/{job}", "/merge", "/prepare", "/artifacts", "/sources")
    ]
    answers += [
        asking.post("/merge", json={"sample": True}),
        asking.post("/prepare", json={}),
        asking.get(f"/jobs/{job}/events"),
    ]
    for kind in ("corpus", "openai"):
        (corpus / "artifacts" / kind / "manifest.json").write_text("{")
    broken = [asking.get(path) for path in ("/statistics", "/merge", "/prepare", "/artifacts")]
    assert {answer.json()["code"] for answer in broken} == {"corrupt-artifact"}
    answers += [*broken, *(asking.get(path) for path in ("/records", "/records/7"))]
    with httpx2.Client(base_url=quiet.url, headers=OWN, timeout=30) as visitor:
        visitor.post("/sign-in", data={"token": quiet.token})
        pages = ("/", "/jobs", f"/jobs/{job}", "/records", "/records/7", "/jobs/new/prepare")
        answers += [visitor.get(path) for path in pages]
    answers.append(httpx2.get(f"{quiet.url}/readyz", timeout=30))
    for answer in answers:
        assert str(quiet.folder) not in answer.text, answer.url
        assert "/" + "/".join(quiet.folder.parts[1:3]) not in answer.text, answer.url


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/data/artifacts/corpus-1/manifest.json", "artifacts/corpus-1/manifest.json"),
        ("/raw/data/raw/x.csv", "raw/x.csv"),
        ("/home/ada/.cache/hub/snapshots/abc/rows.csv", "rows.csv"),
        ("/srv/data", "data"),
        ("/", ""),
        ("rows.csv", "rows.csv"),
        ("a/b.csv", "a/b.csv"),
        ("", ""),
    ],
)
def test_a_path_is_shown_from_the_data_folder_on(path: str, expected: str) -> None:
    assert shown(path) == expected


def test_no_browser_keeps_a_download_and_a_known_one_is_not_sent_again(
    asking: httpx2.Client, corpus: Path
) -> None:
    whole = asking.get(f"/artifacts/{CORPUS}")
    assert whole.content == (corpus / CORPUS).read_bytes()
    etag = {"If-None-Match": whole.headers["ETag"]}
    answers = [
        whole,
        asking.get(f"/artifacts/{CORPUS}", headers={"Range": "bytes=0-9"}),
        asking.get(f"/artifacts/{CORPUS}", headers=etag),
        asking.get(f"/artifacts/{HUGGINGFACE}"),
        asking.get("/records"),
        asking.get("/records/7"),
    ]
    assert [answer.status_code for answer in answers] == [200, 206, 304, 200, 200, 200]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}


def test_a_tag_passes_for_no_other_one(quiet: Service, tmp_path: Path) -> None:
    catalog = own_source(tmp_path / "own", "Own", 3)
    catalog.write_text(catalog.read_text().replace("tags = []", f'tags = ["{TURNED}"]'), "utf-8")
    merge_all_datasets(quiet.data_dir, sources=["Own"], catalogs=[catalog])
    with httpx2.Client(base_url=quiet.url, headers=OWN, timeout=30) as visitor:
        visitor.post("/sign-in", data={"token": quiet.token})
        for path in ("/records", "/records/0", "/"):
            page = html.unescape(visitor.get(path).text)
            assert f">{visible(TURNED)}<" in page, path
            assert f">{TURNED}<" not in page, path
        # The filter is still by the tag as it stands.
        found = visitor.get("/records", params={"tag": TURNED})
        assert "3 records" in found.text
