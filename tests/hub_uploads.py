"""What the stand-in hub needs to be written to: repositories, pre-upload, LFS, and commits.

`let_write(hub)` teaches it. As on the hub, a file is sent where nobody sees it, and is in its place
by a commit alone, which is one whole: NDJSON with a header, files, LFS files and deletions. Xet is
not spoken: whoever asks for its tokens is told that there is nothing of the kind.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import yaml
from flask import Flask, Response, jsonify, request
from hub_server import LFS_BYTES, LFS_SUFFIXES, Revision, bearer_token, error

if TYPE_CHECKING:
    from hub_server import HubServer

Json = dict[str, Any]
#: The account whose token this is, and another one's.
OWNER, TOKEN = "stand-in", "hf_of_the_stand_in"
_API = "/api/datasets/<owner>/<name>"
_LICENCES = {"mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "llama3", "other"}


@dataclass
class Uploads:
    """What was written to the stand-in, and the views by which it was."""

    hub: HubServer
    public: set[str] = field(default_factory=set)
    """Repositories that all may read; all others are private."""
    commits: list[Json] = field(default_factory=list)
    """Repository, sha, title, files and deletions of each commit."""
    deleted: list[str] = field(default_factory=list)
    """Repositories that were removed."""
    lost: int = 0
    """How many commits are made, and then answered as if the hub were down."""

    def folder(self, repository: str) -> Path:
        """Where the files of a repository lie."""
        return Path(self.hub.root / "datasets" / repository)

    def files(self, repository: str) -> dict[str, bytes]:
        """Give what a repository holds."""
        folder = self.folder(repository)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def repositories(self) -> list[str]:
        """Name the repositories that there are."""
        home = Path(self.hub.root / "datasets")
        return sorted(path.relative_to(home).as_posix() for path in home.glob("*/*"))

    @property
    def objects(self) -> Path:
        """Where large files wait for a commit."""
        return Path(self.hub.root / "lfs")

    def make(self, repository: str, *, public: bool = False, **files: bytes) -> None:
        """Make a repository, as on the hub with one file of its own, and others."""
        self.folder(repository).mkdir(parents=True)
        (self.folder(repository) / ".gitattributes").write_text("*.parquet filter=lfs\n")
        for name, content in files.items():
            (self.folder(repository) / name.replace("_", ".")).write_bytes(content)
        if public:
            self.public.add(repository)

    # Views

    def create(self) -> Response:
        asked = request.get_json()
        owner = asked.get("organization") or OWNER
        repository = f"{owner}/{asked['name']}"
        if denied := _refused(owner):
            return denied
        assert asked["type"] == "dataset"
        if self.folder(repository).exists():
            return error(409, None, "You already created this dataset repo")
        private = asked.get("private", asked.get("visibility") == "private")
        self.make(repository, public=not private)
        return jsonify(url=f"{self.hub.url}/datasets/{repository}")

    def delete(self) -> Response:
        asked = request.get_json()
        owner = asked.get("organization") or OWNER
        if denied := self._not_there(owner, asked["name"]):
            return denied
        repository = f"{owner}/{asked['name']}"
        shutil.rmtree(self.folder(repository))
        self.deleted.append(repository)
        return jsonify({})

    def preupload(self, owner: str, name: str) -> Response:
        if denied := self._not_there(owner, name):
            return denied
        now = Revision(self.folder(f"{owner}/{name}")).files
        files = []
        for file in request.get_json()["files"]:
            large = Path(file["path"]).suffix in LFS_SUFFIXES or file["size"] > LFS_BYTES
            known = now.get(file["path"])
            files.append(
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if large else "regular",
                    "shouldIgnore": False,
                    "oid": known.etag if known else None,
                }
            )
        return jsonify(files=files)

    def batch(self, owner: str, name: str) -> Response:
        if denied := self._not_there(owner, name):
            return denied
        asked = request.get_json()
        assert "basic" in asked["transfers"]
        objects = []
        for each in asked["objects"]:
            answer = {"oid": each["oid"], "size": each["size"]}
            if not (self.objects / each["oid"]).exists():
                # Another host than the hub's, which must not see the token.
                answer["actions"] = {
                    "upload": {"href": f"http://localhost:{self.hub.port}/lfs/{each['oid']}"},
                    "verify": {"href": f"{self.hub.url}/lfs/{each['oid']}/verify"},
                }
            objects.append(answer)
        return jsonify(transfer="basic", objects=objects)

    def receive(self, oid: str) -> Response:
        if bearer_token() is not None:
            return error(400, None, "the token was sent to another host")
        content = request.get_data()
        if hashlib.sha256(content).hexdigest() != oid:
            return error(400, None, "these are other bytes than were announced")
        self.objects.mkdir(exist_ok=True)
        (self.objects / oid).write_bytes(content)
        return jsonify({})

    def verify(self, oid: str) -> Response:
        size = (self.objects / oid).stat().st_size
        return jsonify({}) if size == request.get_json()["size"] else error(422, None, "size")

    def commit(self, owner: str, name: str) -> Response:
        if denied := self._not_there(owner, name):
            return denied
        assert request.content_type == "application/x-ndjson"
        head, *lines = (json.loads(line) for line in request.get_data().splitlines())
        repository = f"{owner}/{name}"
        folder = self.folder(repository)
        if head["value"].get("parentCommit") not in (None, Revision(folder).sha):
            return error(412, None, "A commit has happened since. Please refresh and try again.")
        with TemporaryDirectory(dir=self.hub.root) as home:
            staged = Path(home) / name
            shutil.copytree(folder, staged)
            for line in lines:
                _apply(line["key"], line["value"], staged, self.objects)
            shutil.rmtree(folder)
            staged.rename(folder)
        files = {line["value"]["path"]: line["key"] for line in lines}
        sha = Revision(folder).sha
        self.commits.append(
            {
                "repository": repository,
                "sha": sha,
                "title": head["value"]["summary"],
                "files": {path: key for path, key in files.items() if key != "deletedFile"},
                "deleted": [path for path, key in files.items() if key == "deletedFile"],
            }
        )
        if self.lost:
            self.lost -= 1
            return error(503, None, "Service Unavailable")
        url = f"{self.hub.url}/datasets/{repository}/commit/{sha}"
        return jsonify(success=True, commitOid=sha, commitUrl=url)

    def _not_there(self, owner: str, name: str) -> Response | None:
        if denied := _refused(owner):
            return denied
        if not self.folder(f"{owner}/{name}").is_dir():
            return error(404, "RepoNotFound", "Repository not found")
        return None


def _refused(owner: str) -> Response | None:
    if bearer_token() != TOKEN:
        return error(401, None, "Invalid credentials in Authorization header")
    if owner != OWNER:
        return error(403, None, "You don't have the rights to do that in this namespace")
    return None


def let_write(hub: HubServer) -> Uploads:
    """Teach a stand-in that has not been asked anything yet to be written to."""
    uploads = Uploads(hub)
    app = cast("Flask", hub._server.app)
    told = app.view_functions["info"]

    def info(**place: str) -> Json:
        """Tell of a repository what the stand-in does, and whether it is private."""
        repository = f"{place['owner']}/{place['name']}"
        return {**cast("Json", told(**place)), "private": repository not in uploads.public}

    app.view_functions["info"] = info
    for method, rule, view in (
        ("POST", "/api/validate-yaml", validate),
        ("POST", "/api/repos/create", uploads.create),
        ("DELETE", "/api/repos/delete", uploads.delete),
        ("POST", f"{_API}/preupload/main", uploads.preupload),
        ("POST", "/datasets/<owner>/<name>.git/info/lfs/objects/batch", uploads.batch),
        ("PUT", "/lfs/<oid>", uploads.receive),
        ("POST", "/lfs/<oid>/verify", uploads.verify),
        ("POST", f"{_API}/commit/main", uploads.commit),
    ):
        app.add_url_rule(rule, f"written-{rule}", view, methods=[method])
    return uploads


def validate() -> Response:
    """Judge the head of a card."""
    problems = problems_of(request.get_json()["content"])
    answer = jsonify(errors=[{"message": each} for each in problems], warnings=[])
    answer.status_code = 400 if problems else 200
    return answer


def _apply(key: str, value: Json, folder: Path, objects: Path) -> None:
    path = folder / value["path"]
    if key == "deletedFile":
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if key == "lfsFile":
        path.write_bytes((objects / value["oid"]).read_bytes())
    else:
        assert key == "file"
        path.write_bytes(base64.b64decode(value["content"]))


def problems_of(card: str) -> list[str]:
    """Say what the hub would find wrong with the head of a card."""
    head = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    said = yaml.safe_load(head[1]) if head else None
    if not isinstance(said, dict):
        return ["no metadata"]
    problems = []
    if said.get("license") not in _LICENCES:
        problems.append("license is none of the hub's")
    if said.get("license") == "other" and not re.fullmatch(r"[a-z0-9.-]+", said["license_name"]):
        problems.append("license_name is no identifier")
    lists = ("language", "size_categories", "task_categories", "source_datasets", "tags")
    wrong = [
        name for name in lists if not all(isinstance(each, str) for each in said.get(name, []))
    ]
    return [*problems, *(f"{name} is no list of words" for name in wrong)]
