"""docs/http-api.md is true: its tables equal the code, its examples run against the service."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from documents import blocks, read, table
from running import Service

from web.access.scopes import MEANINGS
from web.api.schemas import AddSourceBody, MergeOrder, PrepareBody
from web.problems import KINDS
from workers.jobs.job import Job

if TYPE_CHECKING:
    from apiflask import APIFlask
    from pydantic import BaseModel

PAGE = read("docs/http-api.md")
BASE = "/api/ai/data"


def test_every_route_is_listed_with_its_scope(app: APIFlask) -> None:
    listed = [[*row[0].split(), row[1]] for row in table(PAGE, "In short")]
    found = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(f"{BASE}/"):
            path = re.sub(r"<(?:\w+:)?(?:job_)?(\w+)>", r"{\1}", rule.rule.removeprefix(BASE))
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            scope = getattr(app.view_functions[rule.endpoint], "needs_scope", None)
            found += [[each, path, scope] for each in methods]
    assert sorted(listed) == sorted(found)


def test_every_scope_is_explained() -> None:
    assert table(PAGE, "Tokens and scopes") == [[*pair] for pair in MEANINGS.items()]


@pytest.mark.parametrize(
    ("heading", "body"),
    [("Merge", MergeOrder), ("Prepare", PrepareBody), ("Adding sources", AddSourceBody)],
)
def test_every_field_of_a_request_is_explained(heading: str, body: type[BaseModel]) -> None:
    fields = body.model_json_schema()["properties"]
    documented = {name: (default, text) for name, default, text in table(PAGE, heading)}
    assert {name: json.loads(default) for name, (default, _) in documented.items()} == {
        name: field["default"] for name, field in fields.items()
    }
    for name, field in fields.items():
        plain = documented[name][1].replace("`", "")
        assert plain == field.get("description", plain).replace("`", "")


def test_every_field_of_a_job_is_explained() -> None:
    documented = [
        name for row in table(PAGE, "Jobs") for name in re.findall(r"\w+", row[0].replace("`", ""))
    ]
    assert documented == list(Job.model_fields)


def test_every_code_is_listed_with_its_status() -> None:
    documented = [(code, int(status), text) for code, status, text in table(PAGE, "Errors")]
    assert documented == [(code, kind.status, kind.meaning) for code, kind in KINDS.items()]


def expectations(script: str) -> Iterator[str]:
    yield from re.findall(r"^# -> (.*)$", script, re.MULTILINE)


@pytest.fixture
def service(redis_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service without a corpus, as the examples expect it."""
    made = Service(tmp_path / "service", redis_url)
    try:
        made.start_web()
        made.start_worker()
        made.wait_until_ready()
        yield made
    finally:
        made.stop()


def test_the_examples_run(service: Service, tmp_path: Path) -> None:
    """One shell runs them all in order, as a reader would who copies them."""
    examples = blocks(PAGE, "bash")
    marked = "\n".join(f"echo '=== {n}'\n{text}" for n, text in enumerate(examples))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", marked],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "NO_PROXY": "*",
            "URL": service.url,
            "TOKEN": service.token,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    answers = re.split(r"^=== \d+$", done.stdout, flags=re.MULTILINE)[1:]
    assert len(answers) == len(examples)
    for text, answer in zip(examples, answers, strict=True):
        if expected := list(expectations(text)):
            assert answer.split() == expected, text
    (problem,) = blocks(PAGE, "json")
    assert json.loads(answers[-1]) == json.loads(problem)
