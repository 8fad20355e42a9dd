"""A job is done by a worker's own code, and how it ended is written down whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from own_sources import own_source
from stores import make_stores

from mindcorpus.job_requests import MergeRequest
from workers.app import make_app
from workers.execution.executor import Executor
from workers.jobs.job_specs import merge_spec

ROOT = Path(__file__).parents[2]
ROWS = 300


def cut_off(folder: Path, rows: int) -> Path:
    """Write a source whose file is a JSON array that ends in the middle; give its catalogue."""
    catalog = own_source(folder, "own", 0)
    text = json.dumps([{"q": f"{row}?", "a": "Go on."} for row in range(rows)])
    (folder / "own.json").write_text(text.removesuffix("]") + ', {"q": "cut')
    catalog.write_text(catalog.read_text().replace("own.jsonl", "own.json"))
    return catalog


@pytest.mark.parametrize("tolerated", [False, True])
def test_what_a_part_has_read_is_told_though_it_fails(
    tolerated: bool, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MINDCORPUS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MINDCORPUS_REDIS_URL", redis_url)
    catalog = cut_off(tmp_path / "raw", ROWS)
    stores = make_stores(redis_url, data_dir=tmp_path / "data", catalogs=(catalog,))
    request = MergeRequest(sources=("own",), allow_missing=tolerated)
    job = stores.jobs.submit(merge_spec(request, stores.settings)).job
    executor = Executor(stores.claims, make_app(stores.settings), stores.settings, lambda: False)
    while part := next(iter(stores.redis.smembers(f"mindcorpus:pending:{job.id}")), None):
        executor.execute(str(part), (), "part")
    found = stores.jobs.get(job.id)
    (source,) = found.progress.sources
    assert source.state == "failed"
    assert (source.rows, found.progress.rows) == (ROWS, ROWS)
    assert found.state == ("queued" if tolerated else "failed"), "its last step is still to do"
