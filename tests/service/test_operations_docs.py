"""docs/operations.md is true: what it lists is what there is, and its files are well-formed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deployment import COMPOSE, read_compose
from documents import ROOT, blocks, read, section, table
from prometheus_client.parser import text_string_to_metric_families

import workers.errors
from mindcorpus import errors
from web.settings import WebSettings
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from apiflask import APIFlask

PAGE = read("docs/operations.md")


def first_cells(rows: list[list[str]]) -> list[str]:
    return [row[0] for row in rows]


def test_every_metric_is_listed_with_its_labels(app: APIFlask) -> None:
    client = app.test_client()
    client.get("/healthz")  # so that there is a request to count
    found = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        labels = {name for sample in family.samples for name in sample.labels} - {"le", "quantile"}
        if not family.name.endswith("_created"):  # when a count began; prometheus_client adds it
            found[family.name] = labels
    documented = {
        name: set(re.findall(r"\w+", labels)) for name, labels, _ in table(PAGE, "Monitoring")
    }
    assert documented == found


def test_alarms_ask_for_metrics_that_exist() -> None:
    listed = set(first_cells(table(PAGE, "Monitoring")))
    for _, when, _ in table(PAGE, "Monitoring", 1):
        for name in re.findall(r"mindcorpus_\w+", when):
            assert name.removesuffix("_total") in listed


def test_every_check_of_readiness_is_listed(app: APIFlask) -> None:
    answer = app.test_client().get("/readyz").get_json()
    checks = [each["check"] for each in answer["checks"]]
    assert first_cells(table(PAGE, "What `/readyz` finds")) == checks


def below(kind: type[errors.MindcorpusError]) -> Iterator[type[errors.MindcorpusError]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


def test_every_code_a_job_may_fail_with_is_explained() -> None:
    # Those of the library that stand between a client and a service fail no job.
    elsewhere = (errors.ServiceError, errors.PushError)  # no job pushes
    remote = {kind.code for root in elsewhere for kind in (root, *below(root))}
    refusals: set[type[errors.MindcorpusError]] = {
        workers.errors.DiskFullError,
        workers.errors.KeyReusedError,
        workers.errors.NotReplicatedError,
        workers.errors.QueueFullError,
        workers.errors.JobNotFoundError,
        workers.errors.JobForgottenError,
        workers.errors.JobFinishedError,
        workers.errors.JobSharedError,
        workers.errors.JobNewerError,
    }
    kinds = {
        kind
        for kind in below(errors.MindcorpusError)
        if kind.__module__ in {"mindcorpus.errors", "workers.errors"} and "code" in vars(kind)
    }
    codes = {kind.code for kind in kinds - refusals} - remote
    assert set(first_cells(table(PAGE, "A job failed"))) == codes


def test_the_settings_that_matter_are_settings() -> None:
    known = {name.upper() for name in {*WebSettings.model_fields, *WorkerSettings.model_fields}}
    for row in table(PAGE, "Settings that matter"):
        assert set(re.findall(r"[A-Z_]{3,}", row[0])) <= known


def test_the_variables_of_compose_are_those_of_the_example() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    documented = {name: default for name, default, _ in table(PAGE, "With Compose")}
    assert {name: default.replace("–", "") for name, default in documented.items()} == named


@pytest.mark.parametrize("text", blocks(PAGE, "yaml"), ids=["first host", "other hosts"])
def test_the_files_for_several_hosts_are_well_formed(text: str, tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.override.yml"
    file.write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    ours = read_compose()
    theirs = read_compose(file)
    for part in ("services", "volumes"):
        assert set(theirs[part]) <= set(ours[part])


def test_commands_name_services_that_exist() -> None:
    services = set(read_compose(COMPOSE)["services"])
    commands = re.findall(r"docker compose (?:exec|cp|stop|start|pull)((?: -\w+)* \w+)", PAGE)
    assert commands
    for each in commands:
        assert each.split()[-1] in services, each


def test_the_commands_by_hand_are_those_of_the_image() -> None:
    text = "\n".join(blocks(PAGE, "shell"))
    worker = " ".join(read_compose()["services"]["worker"]["command"])
    assert worker.replace("${WORKER_CONCURRENCY:-1}", "1") in text
    assert "python -m gunicorn -c python:web.gunicorn_config 'web:create_app()'" in text
    assert "appendonly yes" in section(PAGE, "By hand")


def test_every_promise_names_tests_that_exist() -> None:
    promises = table(PAGE, "Promises and their tests")
    missing = [
        name
        for _, tests in promises
        for name in re.findall(r"`(tests/[^`]+)`", tests)
        if not _is_test(*name.split("::"))
    ]
    assert not missing
    # All 29 kinds of fault, each at least once.
    numbers = {
        int(found[1]) for promise, _ in promises if (found := re.match(r"[A-E](\d+) ", promise))
    }
    assert numbers == set(range(1, 30))


def _is_test(file: str, name: str = "") -> bool:
    path = Path(__file__).parents[2] / file
    if file.endswith("/"):
        return path.is_dir()
    return path.is_file() and (not name or f"def {name}(" in path.read_text())
