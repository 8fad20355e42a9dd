"""Downloads: the corpus and the training formats, file by file, or a folder as one archive."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import PurePosixPath
from typing import Any

from flask import Response, jsonify, request, url_for
from werkzeug.http import is_resource_modified, quote_etag

from mindcorpus.errors import NoCorpusError
from mindcorpus.storage.kinds import KINDS
from mindcorpus.storage.store import Store
from web.access.admission import admit_archive
from web.access.audited import audited, note
from web.api.blueprint import api
from web.api.corpus_schemas import Artifacts
from web.api.views import DOWNLOADED, IF_RANGE, RANGE, UNCHANGED, view
from web.files.downloads import Artifact, Download, kind_of, not_found, open_artifact
from web.files.file_responses import ArchiveBytes, FileBytes, FileResponse
from web.problems import problem
from web.services import services

_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")
_ARCHIVE = "application/x-tar"
# Not of a type: those of JSON hold values.
# Without a schema, as OpenAPI 3.1 says bytes: a range of a JSON file is of its type, and no JSON.
_BYTES: dict[str, Any] = {"*/*": {}}


@api.get("/artifacts")
@view("read", "List what there is to download", Artifacts)
def list_artifacts() -> Response:
    """List the files of each kind of artifact, and the folders that can be had as archives."""
    store = Store(services().settings.data_dir)
    return jsonify({"artifacts": {kind: listed(store, kind) for kind in KINDS}})


def listed(store: Store, kind: str) -> list[dict[str, Any]]:
    """List what of a kind can be downloaded, and from where; raises `CorruptArtifactError`."""
    if not store.exists(kind):
        return []
    with open_artifact(store, kind) as artifact:
        return files_of(artifact, kind)


def files_of(artifact: Artifact, kind: str) -> list[dict[str, Any]]:
    """List what of an artifact can be downloaded, and from where."""
    found = [
        {
            "path": file.path,
            "folder": False,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "rows": file.rows,
            "media_type": file.media_type,
        }
        for file in artifact.files.values()
    ]
    found += [
        {
            "path": name,
            "folder": True,
            "bytes": len(ArchiveBytes(artifact, name, files)),
            "sha256": None,
            "rows": None,
            "media_type": _ARCHIVE,
        }
        for name in KINDS[kind].links
        if (files := artifact.below(name))
    ]
    return [{**file, "url": url_for("api.download", path=file["path"])} for file in found]


@api.get("/artifacts/<path:path>", merge_slashes=False)
@view(
    "read",
    "Download a file, or a folder as a tar archive",
    None,
    answers={
        200: {"description": "All of it.", "content": _BYTES, "headers": DOWNLOADED},
        206: {"description": "The range asked for.", "content": _BYTES, "headers": DOWNLOADED},
        304: UNCHANGED,
    },
    problems=(404, 416),
    headers=[RANGE, IF_RANGE],
)
@audited("artifact.download")
def download(path: str) -> Response:
    """Download what GET /artifacts lists; a file may be had in ranges."""
    store = Store(services().settings.data_dir)
    try:
        artifact = open_artifact(store, kind_of(path))
    except NoCorpusError:
        raise not_found() from None
    try:
        file = artifact.files.get(path)
        if file is None:
            return _send_folder(artifact, path)
        response = _send_file(artifact, file)
    except BaseException:
        artifact.close()
        raise
    artifact.close()
    return response


def _send_file(artifact: Artifact, file: Download) -> Response:
    etag = quote_etag(file.sha256)
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
    }
    note(path=file.path, sha256=file.sha256)
    if _known(etag):
        return _prepared(Response(status=304), headers)
    opened = artifact.open(file)
    content = FileBytes(opened, 0, file.bytes)
    status = 200
    if (wanted := _range(etag, file.bytes)) is not None:
        start, stop = wanted
        if start >= stop:
            content.close()
            return _no_such_range(file.bytes)
        content = FileBytes(opened, start, stop - start)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.bytes}"
        _note(file.path, stop - start, start)
        headers["Content-Length"] = str(stop - start)
        status = 206
    else:
        headers["Content-Length"] = str(file.bytes)
        _note(file.path, file.bytes)
    name = PurePosixPath(file.path).name
    response = FileResponse(content, status=status, mimetype=file.media_type)
    return _prepared(response, {**headers, "Content-Disposition": _saved_as(name)})


def _send_folder(artifact: Artifact, path: str) -> Response:
    files = artifact.below(path)
    if not files:
        raise not_found()
    etag = quote_etag(hashlib.sha256(f"{artifact.digest}/{path}".encode()).hexdigest())
    headers = {"Accept-Ranges": "none", "ETag": etag}
    note(path=path, sha256=artifact.digest)
    if _known(etag):
        artifact.close()
        return _prepared(Response(status=304), headers)
    admit_archive()
    archive = ArchiveBytes(artifact, path, files)
    headers["Content-Length"] = str(len(archive))
    _note(path, len(archive))
    headers["Content-Disposition"] = _saved_as(f"{PurePosixPath(path).name}.tar")
    return _prepared(Response(archive, mimetype=_ARCHIVE), headers)


def _note(path: str, size: int, start: int | None = None) -> None:
    note(path=path, bytes=0 if request.method == "HEAD" else size, start=start)


def _prepared(response: Response, headers: dict[str, str]) -> Response:
    response.headers.update(headers)
    # Texts of records: no browser keeps them, no proxy either. A client that has a file asks with
    # its ETag all the same.
    response.headers["Cache-Control"] = "no-store"
    return response


def _saved_as(name: str) -> str:
    # Names come from a manifest of ours: letters, digits, dots, dashes and underscores.
    return f'attachment; filename="{name}"'


def _known(etag: str) -> bool:
    """Whether the client has it already; comes before any range (RFC 9110, 13.2.2)."""
    conditions = {
        "REQUEST_METHOD": request.method,
        "HTTP_IF_NONE_MATCH": request.headers.get("If-None-Match", ""),
    }
    return not is_resource_modified(conditions, etag)


def _range(etag: str, size: int) -> tuple[int, int] | None:
    """Give which bytes are wanted, as (start, stop), empty if there are none; None: all of it.

    What is not one range of bytes, or is of another file than this, asks for all of it.
    """
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != etag:
        return None
    wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
    if wanted is None:
        return None
    first, last = wanted.groups()
    if not first:
        return (max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size


def _no_such_range(size: int) -> Response:
    return problem(
        416,
        code="range-not-satisfiable",
        title="the file has no such bytes",
        hint=f"It has {size} bytes.",
        headers={"Content-Range": f"bytes */{size}"},
    )
