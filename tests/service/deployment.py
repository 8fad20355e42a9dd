"""Read docker-compose.yml and the Dockerfile, and say what is weak about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"

_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?])([^}]*))?\})")
_SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|AUTH|URL", re.IGNORECASE)

Compose = dict[str, Any]


def interpolate(value: Any, variables: Mapping[str, str]) -> Any:
    """Fill in `${NAME}`, `${NAME:-default}` and `${NAME:?message}` as Compose does.

    Raises `KeyError` with the message for a required variable that is missing.
    """
    if isinstance(value, dict):
        return {key: interpolate(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolate(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        escaped, name, operator, text = match.groups()
        if escaped:
            return "$"
        found = variables.get(name, "")
        if not found and operator == ":?":
            raise KeyError(f"{name}: {text}")
        return found or (text if operator == ":-" else "")

    return _VARIABLE.sub(fill, value)


def read_compose(path: Path = COMPOSE) -> Compose:
    """Give the file as it stands, anchors resolved, variables not filled in."""
    loaded: Compose = yaml.safe_load(path.read_text("utf-8"))
    return loaded


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its continued lines joined."""

    name: str
    text: str


def read_dockerfile(text: str | None = None) -> list[Instruction]:
    """Give the instructions of a Dockerfile."""
    text = DOCKERFILE.read_text("utf-8") if text is None else text
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    parts = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [Instruction(name.upper(), rest.strip()) for name, rest in parts]


def last_stage(instructions: list[Instruction]) -> list[Instruction]:
    """Give the instructions that make the image itself."""
    starts = [at for at, each in enumerate(instructions) if each.name == "FROM"]
    return instructions[starts[-1] :]


def last(instructions: list[Instruction], name: str) -> str:
    """Give the last instruction of a name in the image's own stage, or ""."""
    found = [each.text for each in last_stage(instructions) if each.name == name]
    return found[-1] if found else ""


def command(instructions: list[Instruction], name: str = "CMD") -> list[str]:
    """Give the command of CMD or HEALTHCHECK, which has to be a list: a shell eats signals."""
    text = last(instructions, name)
    found: list[str] = json.loads(text[text.index("[") :])
    return found


def variables(instructions: list[Instruction]) -> dict[str, str]:
    """Give what ENV sets in the image."""
    found: dict[str, str] = {}
    for each in last_stage(instructions):
        if each.name == "ENV":
            found.update(re.findall(r"(\w+)=(\S+)", each.text))
    return found


def image_weaknesses(instructions: list[Instruction]) -> Iterator[str]:
    """Say what is weak about an image."""
    for each in instructions:
        if each.name == "FROM" and not each.text.startswith("python:3.11-slim-bookworm"):
            yield f"based on {each.text}"
        if each.name in {"ENV", "ARG"} and _SECRET.search(each.text):
            yield "a secret is built in"
        if each.name == "ADD" or (each.name == "COPY" and each.text.split()[-2] == "."):
            yield "more is copied than is named"
    user, _, group = last(instructions, "USER").partition(":")
    if not (user.isdigit() and group.isdigit() and int(user) >= 1000 and int(group) >= 1000):
        yield "runs as root, or as a user without a number"
    if last(instructions, "STOPSIGNAL") != "SIGTERM":
        yield "is not stopped by SIGTERM"
    if "/healthz" not in last(instructions, "HEALTHCHECK"):
        yield "has no health check"
    if variables(instructions).get("PYTHONDONTWRITEBYTECODE") != "1":
        yield "writes beside its code"


def weaknesses(compose: Compose) -> Iterator[str]:
    """Say what is weak about a compose file, a line each that begins with the service's name."""
    services = compose["services"]
    for name, service in services.items():
        for weakness in (*_of_confinement(service), *_of_surroundings(service)):
            yield f"{name}: {weakness}"
        if name != "redis":
            for weakness in _of_ours(service):
                yield f"{name}: {weakness}"
    for weakness in _of_redis(services["redis"], compose):
        yield f"redis: {weakness}"
    if "state:/state" not in services["web"].get("volumes", []):
        yield "web: loses tokens, keys and the audit log with its container"
    for weakness in _of_worker(services["worker"], services["web"]):
        yield f"worker: {weakness}"


def _of_confinement(service: Mapping[str, Any]) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "its root file system can be written"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add") or service.get("privileged"):
        yield "keeps capabilities"
    if service.get("security_opt") != ["no-new-privileges:true"]:
        yield "may gain privileges"
    if service.get("user", "").split(":")[0] in {"0", "root"} or not (
        "user" in service or "build" in service
    ):
        yield "runs as root"
    if not service.get("mem_limit") or not service.get("pids_limit"):
        yield "has no limit of memory or processes"
    if not any(
        mount.startswith("/tmp:") and "size=" in mount for mount in service.get("tmpfs", [])
    ):
        yield "has no /tmp of limited size"
    if service.get("ulimits", {}).get("core") != 0:
        yield "dumps cores"


def _of_surroundings(service: Mapping[str, Any]) -> Iterator[str]:
    if "container_name" in service or "hostname" in service:
        yield "has a fixed name"
    if any(name in service for name in ("network_mode", "pid", "ipc", "devices", "volumes_from")):
        yield "shares what is the host's"
    for volume in service.get("volumes", []):
        if not re.fullmatch(r"\w+:/\w+(:ro)?", volume):
            yield f"mounts {volume}"
    for port in interpolate(service.get("ports", []), {}):
        if not port.startswith("127.0.0.1:"):
            yield f"is published on {port}"
    for key, value in (service.get("environment") or {}).items():
        if _SECRET.search(key) and value is not None and "${" not in value:
            yield f"{key} stands in the file"


def _of_ours(service: Mapping[str, Any]) -> Iterator[str]:
    waits_for = service.get("depends_on", {})
    if not any(
        waits_for.get(name, {}).get("condition") == "service_healthy" for name in ("redis", "web")
    ):
        yield "does not wait for Redis"
    if service.get("pull_policy") != "build":
        yield "its image could be another's"


def _of_redis(redis: Mapping[str, Any], compose: Compose) -> Iterator[str]:
    if redis.get("ports"):
        yield "is published"
    networks = compose.get("networks") or {}
    if not redis.get("networks") or not all(
        (networks.get(name) or {}).get("internal") for name in redis["networks"]
    ):
        yield "can be reached from outside, or reach out"
    options = redis_options(redis["command"])
    wanted = {
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--maxmemory-policy": "noeviction",
    }
    for name, value in wanted.items():
        if options.get(name) != value:
            yield f"{name} is not {value}"
    if "--maxmemory" not in options:
        yield "has no --maxmemory"
    if not options.get("--user", "").startswith("default on >${REDIS_PASSWORD:?"):
        yield "asks for no password"
    if "-@admin -@dangerous" not in options.get("--user", ""):
        yield "lets its user administer"
    if not any(volume.endswith(f":{options.get('--dir')}") for volume in redis.get("volumes", [])):
        yield "keeps its data in no volume"
    if "redis-cli ping" not in str(redis.get("healthcheck", {}).get("test")):
        yield "has no health check"


def redis_options(arguments: list[str]) -> dict[str, str]:
    """Give the options of a redis-server command, an option's values in one string."""
    found: dict[str, list[str]] = {}
    for argument in arguments:
        if argument.startswith("--"):
            found[argument] = values = []
        else:
            values.append(argument)
    return {name: " ".join(values) for name, values in found.items()}


def _of_worker(worker: Mapping[str, Any], web: Mapping[str, Any]) -> Iterator[str]:
    if worker.get("ports"):
        yield "is published, so that a second one cannot start"
    if worker.get("init") is not True:
        yield "leaves dead processes"
    if int(worker.get("stop_grace_period", "10s").removesuffix("s")) < 20:
        yield "is killed before it has handed its jobs over"

    def mounted(service: Mapping[str, Any]) -> set[tuple[str, ...]]:
        return {tuple(volume.split(":")[:2]) for volume in service.get("volumes", [])}

    if any(name == "state" or folder == "/state" for name, folder in mounted(worker)):
        yield "mounts the web server's keys"
    if mounted(worker) - mounted(web):
        yield "does not share the web server's volumes"
