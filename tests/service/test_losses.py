"""A source that loses too much fails the job; API and page say why, and how it is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from own_sources import source_of
from stores import Stores, make_stores
from test_session import JOBS, OWN, signed_in

from mindcorpus.storage.kinds import CORPUS
from web import create_app
from web.access.tokens import TokenFile
from web.settings import WebSettings
from workers.app import make_app
from workers.execution.executor import Executor

if TYPE_CHECKING:
    from flask.testing import FlaskClient

ROOT = Path(__file__).parents[2]
SECRET = "Nobody must read this"
FORM = {"material": "sources", "sources": "own", "missing": "stop"}


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


@dataclass
class Here:
    """A service in this process, with one source of the operator's own."""

    visitor: FlaskClient
    stores: Stores
    raw: Path
    data: Path
    token: str

    def lose(self, lost: int, kept: int) -> None:
        """Write the source's rows: so many without an answer, then those with one."""
        rows = [*[(SECRET, " ")] * lost, *((f"Ça va, {at}?", "Oui 🙂.") for at in range(kept))]
        source_of(self.raw, "own", rows)

    def do(self, **form: str) -> Any:
        """Ask for a merge by the form and do all its steps; give the job as the API tells it."""
        answer = self.visitor.post("/jobs/new/merge", data={**FORM, **form}, headers=OWN)
        assert answer.status_code == 303, words(answer.text)
        job_id = answer.location.rpartition("/")[2]
        settings = self.stores.settings
        executor = Executor(self.stores.claims, make_app(settings), settings, lambda: False)
        for part in self.stores.parts(job_id):
            executor.execute(part, (), "part")
        executor.execute(job_id, (), "finalise")
        bearer = {"Authorization": f"Bearer {self.token}"}
        return self.visitor.get(f"{JOBS}/{job_id}", headers=bearer).json


@pytest.fixture
def here(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MINDCORPUS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MINDCORPUS_REDIS_URL", redis_url)
    catalogs = (source_of(tmp_path / "raw", "own", [("q", "a")]),)
    values = {"redis_url": redis_url, "data_dir": tmp_path / "data", "catalogs": catalogs}
    settings = WebSettings.model_validate(values)
    stores = make_stores(redis_url, data_dir=tmp_path / "data", catalogs=catalogs)
    app = create_app(settings)
    visitor = signed_in(app, settings)
    visitor.environ_base["HTTP_ACCEPT"] = "text/html"
    token = TokenFile(settings.tokens_path).new("api", ("read", "write"))
    yield Here(visitor, stores, tmp_path / "raw", tmp_path / "data", token)
    app.extensions["mindcorpus"].redis.close()
    stores.redis.close()


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
