"""A format and row stages of a test's own, registered at run time: everything knows them.

`tests/toys/sitecustomize.py` registers them in every process that finds that folder on its path:
the command line, the web server, the workers and their runners. No other file is touched.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pyarrow.parquet as pq
import pytest
from cluster import ROOT, Cluster
from command_line import run

TOYS = Path(__file__).parents[1] / "toys"
PATHS = f"{TOYS}{os.pathsep}{ROOT}"
ROWS = ["calm", "one!", "two!!", "other!", "calm", "quiet"]
#: What must become of them: status, reason, evidence, changed.
OUTCOMES = [
    ("kept", None, None, None),
    ("kept", None, None, '["bell-added","made-loud"]'),
    ("dropped", "too-loud", "2 exclamation marks", None),
    ("duplicate", "as-loud", "as loud as corpus row 1", '["bell-added","made-loud"]'),
    ("duplicate", "duplicate", "the same as corpus row 0", None),
    ("kept", None, None, None),
]
KEPT = ["calm", "one! \N{BELL}", "quiet"]
_CATALOG = """
[[source]]
name = "own"
path = "rows.jsonl"
type = "talk"
tags = ["spoken"]
[source.options]
input = "q"
response = "a"
rejected_response = "no"
[source.licence]
id = "MIT"
terms = "Keep the notice."
commercial = "yes"
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    rows = [{"q": text, "a": "an answer", "no": "another"} for text in ROWS]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    path = tmp_path / "own.toml"
    path.write_text(_CATALOG)
    return path


def expect_corpus(data_dir: Path) -> None:
    """Hold rows, lineage, manifest, statistics and card to what the toys do."""
    records = json.loads((data_dir / "merged_mental_health_dataset.json").read_text())
    assert [record["input"] for record in records] == KEPT
    assert [record["tags"] for record in records] == [["spoken"], ["spoken", "loud"], ["spoken"]]
    lineage = pq.read_table(data_dir / "merged_mental_health_dataset.lineage.parquet").to_pylist()
    told = [tuple(row[k] for k in ("status", "reason", "evidence", "changed")) for row in lineage]
    assert told == OUTCOMES
    manifest = json.loads((data_dir / "merged_mental_health_dataset.manifest.json").read_text())
    (source,) = manifest["sources"]
    assert (source["read"], source["kept"]) == (6, 3)
    assert source["dropped"] == {"too-loud": 1}
    assert source["duplicates"] == {"own": 2}
    assert source["duplicates_by_reason"] == {"as-loud": {"own": 1}, "duplicate": {"own": 1}}
    assert source["changed"] == {"bell-added": 1, "made-loud": 1}
    assert manifest["statistics"]["by_tag"] == {"spoken": 3, "loud": 1}
    card = (data_dir / "merged_mental_health_dataset.README.md").read_text()
    for words in (
        "1 × too-loud",
        "1 × as-loud of own",
        "1 × duplicate of own",
        "| own | made-loud | 1 |",
    ):
        assert words in card


def expect_format(data_dir: Path) -> None:
    """Hold the toy's file to the corpus: it reads columns that no other format does."""
    lines = (data_dir / "mental_health_toy.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "input": text,
            "response": "an answer",
            "rejected_response": "another",
            "type": "talk",
            "tags": ["spoken", *(["loud"] if "!" in text else [])],
        }
        for text in KEPT
    ]
    manifest = json.loads((data_dir / "mental_health_toy.manifest.json").read_text())
    assert (manifest["kind"], manifest["rows"]) == ("toy", 3)
    assert "Toy lines" in (data_dir / "mental_health_toy.README.md").read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_command_line_knows_them(workers: str, catalog: Path, tmp_path: Path) -> None:
    data = ("--data-dir", "data", "--workers", workers)
    own = ("--catalog", catalog, "--source", "own")
    merged = run("merge", *own, *data, cwd=tmp_path, PYTHONPATH=PATHS)
    assert merged.code == 0, merged.err
    assert "as-loud" not in merged.out, "a source's own twins are numbers alone"
    assert "too-loud 1" in merged.out
    prepared = run("prepare", "toy", *data, cwd=tmp_path, PYTHONPATH=PATHS)
    assert prepared.code == 0, prepared.err
    assert "look at" in prepared.out
    expect_corpus(tmp_path / "data")
    expect_format(tmp_path / "data")
    assert run("verify", *data[:2], cwd=tmp_path, PYTHONPATH=PATHS).code == 0
    listed = run("status", *data[:2], cwd=tmp_path, PYTHONPATH=PATHS)
    assert "mental_health_toy.jsonl" in listed.out
    # An option of a stage: what has two marks is loud now, and the one after it as well.
    option = ("--option", "toy_bangs.most=2", "--force")
    louder = run("merge", *own, *data, *option, cwd=tmp_path, PYTHONPATH=PATHS)
    assert "Merged 3 records from 6 rows" in louder.out, louder.err
    assert "too-loud" not in louder.out
    for wrong, words in (
        ("toy_bangs.least=2", "no option 'toy_bangs.least'"),
        ("toy_bangs.most=many", "option toy_bangs.most=many: input should be a valid integer"),
        ("exact_duplicates.most=2", "no option 'exact_duplicates.most'"),
    ):
        ran = run("merge", *own, *data, "--option", wrong, cwd=tmp_path, PYTHONPATH=PATHS)
        assert (ran.code, words in ran.err) == (3, True), ran.err
    only = ("--stage", "toy_one_loud", "--force")
    ran = run("merge", *own, *data, *only, cwd=tmp_path, PYTHONPATH=PATHS)
    assert ran.code == 3
    assert "the row stage 'toy_one_loud' needs bangs of each record" in ran.err.replace("\n", " ")
    idle = ("--stage", "exact_duplicates", "--option", "toy_bangs.most=2", "--force")
    ran = run("merge", *own, *data, *idle, cwd=tmp_path, PYTHONPATH=PATHS)
    assert (ran.code, "'toy_bangs' has options" in ran.err) == (3, True), ran.err
    # Without them the corpus is another one: of the stages only the project's own are there.
    plain = run("merge", *own, *data, "--force", cwd=tmp_path)
    assert "Merged 5 records from 6 rows" in plain.out, plain.err


@pytest.fixture
def service(
    build: Callable[..., tuple[Cluster, object]], catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    monkeypatch.setenv("PYTHONPATH", PATHS)
    cluster, _ = build(workers=1, catalogs=json.dumps([str(catalog)]))
    cluster.start_web()
    return cluster


def ended(service: Cluster, answer: httpx2.Response) -> dict[str, Any]:
    """Wait for the job of an answer; give it."""
    assert answer.status_code in (202, 303), answer.text
    where = answer.headers["Location"].rpartition("/")[2]
    with service.http() as client:
        end = time.monotonic() + 60
        while (job := client.get(f"/jobs/{where}").json())["state"] not in ("succeeded", "failed"):
            assert time.monotonic() < end, job
            time.sleep(0.1)
    assert job["state"] == "succeeded", job["error"]
    found: dict[str, Any] = job
    return found


def test_the_api_the_workers_and_the_pages_know_them(service: Cluster) -> None:
    with service.http() as client:
        job = ended(service, client.post("/merge", json={"sources": ["own"]}))
        assert job["result"]["records"] == 3
        expect_corpus(service.data_dir)
        # Three belong to `all`; one is there: the other two are made.
        made = ended(service, client.post("/prepare", json={"format": "openai"}))
        assert list(made["result"]["formats"]) == ["openai"]
        made = ended(service, client.post("/prepare"))
        assert list(made["result"]["formats"]) == ["huggingface", "toy"]
        assert made["request"]["formats"] == ["huggingface", "toy"]
        expect_format(service.data_dir)
        listed = client.get("/prepare").json()["formats"]
        assert list(listed) == ["openai", "huggingface", "toy"]
        artifacts = client.get("/artifacts").json()["artifacts"]
        assert "mental_health_toy.jsonl" in [file["path"] for file in artifacts["toy"]]
        assert client.post("/prepare", json={}).json()["exists"] is True
        both = client.post("/prepare", json={"format": "toy", "formats": ["openai"]})
        assert (both.status_code, both.json()["code"]) == (422, "invalid-request")
        unknown = client.post("/prepare", json={"formats": ["nothing"]})
        assert "'toy'" in unknown.json()["detail"]
    with httpx2.Client(base_url=service.url, timeout=30) as browser:
        signed_in = browser.post("/sign-in", data={"token": service.token}, headers=same(service))
        assert signed_in.status_code == 303
        overview = browser.get("/").text
        for words in ("Toy lines", "too-loud", "as-loud", "mental_health_toy.jsonl"):
            assert words in overview
        form = browser.get("/jobs/new/prepare").text
        assert "Toy lines" in form
        assert "A record a line, as it is." in form
        asked = {
            "format": "toy",
            "take": "own",
            "types": "talk",
            "force": "on",
            "seed": "42",
            "validation_share": "0.2",
            "system_prompt": "Be kind.",
            "instruction": "Answer.",
        }
        sent = browser.post("/jobs/new/prepare", data=asked, headers=same(service))
        job = ended(service, sent)
        assert "Prepare Toy lines" in browser.get(f"/jobs/{job['id']}").text
        document = browser.get("/openapi.json").text
        assert '"toy"' in document
    expect_format(service.data_dir)


def test_the_form_of_a_merge_chooses_stages_and_sets_their_options(service: Cluster) -> None:
    with httpx2.Client(base_url=service.url, timeout=30) as browser:
        browser.post("/sign-in", data={"token": service.token}, headers=same(service))
        form = browser.get("/jobs/new/merge").text
        for words in ("Exclamation marks", "marks what is loud", "too-loud", "bell-added"):
            assert words in form
        asked: dict[str, Any] = {
            "material": "sources",
            "sources": "own",
            "stages-shown": "1",
            "stages": ["toy_bangs", "exact_duplicates"],
            "options": "toy_bangs.most=2",
            "missing": "stop",
            "force": "on",
        }
        # What one stage needs another has to give: the form says so where they are chosen.
        alone = {**asked, "stages": ["toy_one_loud"], "options": ""}
        wrong = browser.post("/jobs/new/merge", data=alone, headers=same(service))
        assert wrong.status_code == 422
        assert 'id="field-stages" aria-invalid="true"' in wrong.text
        assert "needs bangs of each record" in wrong.text
        for option, words in (
            ("toy_bang.most=2", "No source or row stage is called &#39;toy_bang&#39;."),
            ("toy_bangs.most=many", "toy_bangs.most=many: input should be a valid integer"),
        ):
            mistyped = {**asked, "options": option}
            wrong = browser.post("/jobs/new/merge", data=mistyped, headers=same(service))
            assert (wrong.status_code, words in wrong.text) == (422, True), wrong.text
            assert 'aria-describedby="wrong-options' in wrong.text
        job = ended(service, browser.post("/jobs/new/merge", data=asked, headers=same(service)))
        assert job["request"]["stages"] == ["exact_duplicates", "toy_bangs"]
        assert job["result"]["records"] == 5, "all but the second calm one"
        # A page from before there was a choice runs what is on; one with nothing ticked, nothing.
        before = {name: asked[name] for name in ("material", "sources", "missing", "force")}
        for sent, stages, records in ((before, None, 3), ({**before, "stages-shown": "1"}, [], 6)):
            answer = browser.post("/jobs/new/merge", data=sent, headers=same(service))
            job = ended(service, answer)
            assert (job["request"]["stages"], job["result"]["records"]) == (stages, records)
        asked |= {"stages": ["exact_duplicates", "toy_bangs", "toy_one_loud"], "options": ""}
        job = ended(service, browser.post("/jobs/new/merge", data=asked, headers=same(service)))
        assert job["request"]["stages"] is None, "those that are on, however they are said"
        expect_corpus(service.data_dir)


def same(service: Cluster) -> dict[str, str]:
    """Give the headers by which a browser says that a page of ours asks."""
    return {"Origin": service.url}
