"""A service in this process with one source of the operator's own, asked by form and API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from own_sources import source_of
from stores import Stores, make_stores
from test_session import JOBS, OWN, signed_in

from web import create_app
from web.access.tokens import TokenFile
from web.settings import WebSettings
from workers.app import make_app
from workers.execution.executor import Executor

if TYPE_CHECKING:
    import pytest
    from flask.testing import FlaskClient

ROOT = Path(__file__).parents[2]
SECRET = "Nobody must read this"
FORM = {"material": "sources", "sources": "own", "missing": "stop"}


def words(text: str) -> str:
    """Give the words of a page, without its tags."""
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


@contextmanager
def service_here(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    """Have such a service."""
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
