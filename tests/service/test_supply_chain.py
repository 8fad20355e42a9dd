"""What the image is made of: an inventory, known weaknesses, images pinned by digest."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cyclonedx.schema
import jsonschema_rs
import pytest
from deployment import ROOT, image_weaknesses, read_compose, read_dockerfile

SCHEMAS = Path(cyclonedx.schema.__file__).parent / "_res"


def run(*command: str | Path, folder: Path = ROOT, **variables: str) -> tuple[int, str, str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


# The inventory


def schema(uri: str) -> Any:
    """Give a schema that CycloneDX publishes, as its library brings it along."""
    return json.loads((SCHEMAS / uri.rsplit("/", 1)[-1]).read_text("utf-8"))


def test_the_inventory_follows_its_schema_and_names_what_is_installed(tmp_path: Path) -> None:
    code, recipe, _ = run(
        "make", "--no-print-directory", "--dry-run", "--old-file=.venv/test", "sbom"
    )
    assert code == 0
    command = recipe.splitlines()[-1].split()
    written, whole = tmp_path / "sbom.json", "build/mindcorpus.cdx.json"
    # Of the environment that is there, as making one takes a network.
    put = {
        ".venv/bin/cyclonedx-py": str(Path(sys.executable).with_name("cyclonedx-py")),
        whole: str(written),
        "build/sbom": sys.prefix,
    }
    # Not its own look at the schema: it takes a quarter of a minute.
    code, _, said = run(*(put.get(word, word) for word in command), "--no-validate")
    assert code == 0, said
    made = json.loads(written.read_text("utf-8"))
    known = schema(f"bom-{made['specVersion']}.SNAPSHOT.schema.json")
    validator = jsonschema_rs.Draft7Validator(known, retriever=schema)
    assert [str(error) for error in validator.iter_errors(made)] == []
    assert not validator.is_valid({**made, "components": [{"name": "of no type"}]})
    assert made["metadata"]["component"]["name"] == "mindcorpus"
    listed = {normal(each["name"]): each["version"] for each in made["components"]}
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]
    )
    for name in ("celery", "Flask", "gunicorn", "redis", "pyarrow", "huggingface_hub"):
        assert listed[normal(name)] == pinned[name]
    assert all(each["purl"].startswith("pkg:pypi/") for each in made["components"])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# Known weaknesses


@pytest.fixture
def osv() -> Iterator[tuple[str, list[str]]]:
    """A database of weaknesses of this machine, and the packages it was asked about.

    It knows one, of celery.
    """
    asked: list[str] = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = question["package"]["name"]
            asked.append(name)
            known = {
                "id": "PYSEC-0000-1",
                "affected": [
                    {
                        "package": {"name": "celery", "ecosystem": "PyPI"},
                        "versions": [question["version"]],
                        "ranges": [],
                    }
                ],
                "summary": "made up for this test",
            }
            body = json.dumps({"vulns": [known]} if name == "celery" else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query", asked
        server.shutdown()


def test_a_known_weakness_fails_and_is_named(osv: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = osv
    project = audited(tmp_path)
    code, found, said = run(
        *("sh", ".ci/audit", "--osv-url", url, "--cache-dir", str(tmp_path / "cache")),
        folder=project,
    )
    assert code == 1, said
    assert "PYSEC-0000-1" in found
    assert sorted(asked) == ["celery", "flask"]


def test_a_database_out_of_reach_fails_nothing_and_is_told(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    code, found, said = run("sh", ".ci/audit", folder=audited(tmp_path), HTTPS_PROXY=nobody)
    assert (code, found) == (0, "")
    assert said.startswith("NOT AUDITED")
    # What is wrong otherwise is not taken for that.
    code, _, _ = run("sh", ".ci/audit", "--no-such-option", folder=tmp_path, HTTPS_PROXY=nobody)
    assert code == 2


def audited(folder: Path) -> Path:
    """Make a project that pins two packages, and is audited by the tool of this environment."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/audit", folder / ".ci")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "constraints.txt").write_text("celery==5.7.0\nFlask==3.1.3\n")
    return folder


# Images


def test_images_are_pinned_by_digest_and_a_release_asks_for_it(tmp_path: Path) -> None:
    for name in ("Dockerfile", "docker-compose.yml", ".ci/image-digests"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    script = (".ci/image-digests",)
    bases = {each.text.split()[0] for each in read_dockerfile() if each.name == "FROM"}
    tagged = bases | {
        each["image"] for each in read_compose()["services"].values() if ":" in each["image"]
    }
    open_ones = {each for each in tagged if "@sha256:" not in each}
    code, _, said = run(*script, "--check", folder=tmp_path)
    assert code == (1 if open_ones else 0)
    assert set(said.splitlines()[1:]) == open_ones

    # There is no registry here. A program that answers as Docker's does stands in for the network.
    programs = tmp_path / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(
        "#!/bin/sh\nfor image; do :; done\n"
        'printf "sha256:%s\\n" "$(echo "$image" | sha256sum | cut -c1-64)"\n'
    )
    docker.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    before = (tmp_path / "Dockerfile").read_text()
    code, _, said = run(*script, folder=tmp_path, PATH=path)
    assert code == 0, said
    pinned = (tmp_path / "Dockerfile").read_text()
    assert list(image_weaknesses(read_dockerfile(pinned))) == []
    for image in open_ones:
        digest = hashlib.sha256(f"{image}\n".encode()).hexdigest()
        both = pinned + (tmp_path / "docker-compose.yml").read_text()
        assert both.count(f"{image}@sha256:{digest}") == both.count(image) > 0
    assert re.sub("@sha256:[0-9a-f]{64}", "", pinned) == re.sub("@sha256:[0-9a-f]{64}", "", before)
    assert run(*script, "--check", folder=tmp_path) == (0, "", "")

    # What is no digest is written nowhere.
    shutil.copy(ROOT / "Dockerfile", tmp_path)
    docker.write_text("#!/bin/sh\necho not found\n")
    code, _, said = run(*script, folder=tmp_path, PATH=path)
    assert (code, "no digest" in said) == ((1, True) if bases & open_ones else (0, False))
    assert (tmp_path / "Dockerfile").read_text() == before
