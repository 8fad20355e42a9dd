"""A source that loses too much fails the job; API and page say why, and how it is meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from one_source import FORM, SECRET, Here, service_here, words
from test_session import OWN

from mindcorpus.storage.kinds import CORPUS


@pytest.fixture
def here(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    with service_here(redis_url, tmp_path, monkeypatch) as here:
        yield here


def test_a_job_fails_where_a_source_loses_too_much_and_the_corpus_stays(here: Here) -> None:
    here.lose(0, 4)
    assert here.do()["state"] == "succeeded"
    before = (here.data / f"{CORPUS}.json").read_bytes()
    here.lose(6, 4)
    job = here.do(force="on")
    assert (job["state"], job["error"]["code"]) == ("failed", "too-many-lost")
    assert job["error"]["source"] == "own"
    assert job["error"]["title"].startswith(
        "6 of its 10 rows give no record (60.0%, more than 50%): "
        "6 × blank-response (first: own.jsonl, row 0)"
    )
    assert 'If that is meant, say so: "allow_loss": {"own": 0.6}.' in job["error"]["hint"]
    assert (here.data / f"{CORPUS}.json").read_bytes() == before
    page = here.visitor.get(f"/jobs/{job['id']}").text
    assert "6 of its 10 rows give no record (60.0%, more than 50%)" in words(page)
    assert "allow the loss of own=0.6 under More choices" in words(page)
    assert "too-many-lost" in page
    assert SECRET not in page + str(job)


def test_a_loss_that_is_meant_is_published_and_told_on_every_page(here: Here) -> None:
    here.lose(6, 4)
    job = here.do(allow_loss="own = 0.6")
    assert job["state"] == "succeeded"
    assert job["request"]["allow_loss"] == {"own": 0.6}
    told = "own lost 6 of its 10 rows (60.0%): 6 × blank-response (first: own.jsonl, row 0)."
    assert job["result"]["warnings"][0].startswith(told)
    assert job["result"]["statistics"]["losses"][0]["rows"] == 6
    page = here.visitor.get(f"/jobs/{job['id']}").text
    shown = page.partition('<div class="notice" id="warnings"><p>')[2]
    assert words(shown.partition("</p>")[0]).startswith(told)
    assert "Losses that are meant own: 0.6" in words(page)
    overview = here.visitor.get("/").text
    notice = overview.partition("Before you use this corpus")[2]
    assert told in words(notice.partition("</li>")[0])
    assert SECRET not in page + overview


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("own=much", "Write one NAME=SHARE a line, the share from 0 to 1"),
        ("own", "Write one NAME=SHARE a line"),
        ("own=1.5", "less than or equal to 1"),
        ("mine=0.5", "no source is called 'mine'"),
    ],
)
def test_a_share_that_is_none_is_told_beside_its_field(here: Here, given: str, said: str) -> None:
    form = {**FORM, "allow_loss": given}
    page = here.visitor.post("/jobs/new/merge", data=form, headers=OWN)
    assert page.status_code == 422
    assert said.lower() in words(page.text).lower()
    assert f">{given}</textarea>" in page.text
