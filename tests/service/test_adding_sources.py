"""Sources over HTTP: inspected and added where the operator allows it, and nothing beyond that."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from running import Service, finished

from mindcorpus.errors import MindcorpusError
from mindcorpus.inspection.contained import named, open_inside
from mindcorpus.sources.readers import plan_shards
from web.access.tokens import TokenFile
from web.backup import write_backup
from web.settings import WebSettings

if TYPE_CHECKING:
    import httpx2
    from hub_server import HubServer
    from redis_server import RedisServer

SECRET = "nobody may read this"
ROWS = [{"question": f"Pourquoi « {row} » ? 😔", "answer": "Écoute-toi."} for row in range(3)] + [
    {"question": "", "answer": "Nobody asked."}
]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The folder whose files may become sources, and beside it one whose files may not."""
    write(tmp_path / "shared" / "talks.jsonl", ROWS)
    write(tmp_path / "secret" / "secret.jsonl", [{"question": SECRET, "answer": SECRET}])
    (tmp_path / "shared" / "LICENSE").write_text("MIT License")
    return tmp_path / "shared"


@pytest.fixture
def open_service(redis_url: str, shared: Path, hub: HubServer) -> Iterator[Service]:
    """A service that lets sources be added from the folder, and from one owner on the hub."""
    running = Service(
        shared.parent / "service",
        redis_url,
        source_folders=str(shared),
        source_owners="someone",
    )
    running.folder.mkdir()
    try:
        running.start_web()
        yield running
    finally:
        running.stop()


def as_(service: Service, *scopes: str) -> httpx2.Client:
    """A client with a token of these scopes."""
    name = "-".join(scopes)
    return service.client(TokenFile(service.tokens_file).new(name, scopes))


def lines(service: Service) -> list[dict[str, Any]]:
    """What the audit log has."""
    file = service.tokens_file.parent / "audit" / "audit.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_it_is_off_unless_the_operator_names_something(quiet: Service) -> None:
    with as_(quiet, "read", "sources") as client:
        for method, path in (
            ("POST", "/sources/inspect"),
            ("POST", "/sources"),
            ("DELETE", "/sources/added/talks"),
        ):
            body = {"path": "shared/talks.jsonl"} if method == "POST" else None
            answer = client.request(method, path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "sources-off")
            assert "MINDCORPUS_SOURCE_FOLDERS" in answer.json()["hint"]


def test_it_needs_the_scope(quiet: Service) -> None:
    with as_(quiet, "read", "write", "admin") as client:
        for path in ("/sources/inspect", "/sources"):
            answer = client.post(path, json={"path": "shared/talks.jsonl"})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert client.delete("/sources/added/talks").status_code == 403


def test_a_file_is_inspected_added_and_merged(open_service: Service, shared: Path) -> None:
    body = {"path": "shared/talks.jsonl", "type": "counseling"}
    with as_(open_service, "write", "sources") as client:
        found = client.post("/sources/inspect", json=body).raise_for_status()
        assert found.headers["Cache-Control"] == "no-store"
        seen = found.json()
        assert [one["input"] for one in seen["preview"]["records"]] == [
            row["question"] for row in ROWS[:3]
        ]
        assert seen["preview"]["dropped"] == {"blank-input": 1}
        assert (seen["licence"]["id"], seen["licence"]["said_by"]) == ("MIT", "LICENSE")
        # Where it lies on the server is no client's business.
        assert str(shared) not in found.text
        added = client.post("/sources", json=body)
        assert (added.status_code, added.json()["name"]) == (201, "talks")
        again = client.post("/sources", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "already-exists")
        assert client.post("/sources", json={**body, "force": True}).status_code == 201
        assert "talks" in [one["name"] for one in client.get("/sources").json()["sources"]]
        # Another process, started now, merges it.
        open_service.start_worker()
        open_service.wait_until_ready()
        job = client.post("/merge", json={"sources": ["talks"]}).raise_for_status().json()
        assert finished(client, job)["state"] == "succeeded", open_service.log()
        records = client.get("/records").json()["records"]
        assert [(one["input"], one["type"]) for one in records] == [
            (row["question"], "counseling") for row in ROWS[:3]
        ]
        assert client.delete("/sources/added/talks").status_code == 204
        assert client.delete("/sources/added/talks").status_code == 404
        assert client.delete("/sources/added/TRACE").status_code == 404
        assert "talks" not in [one["name"] for one in client.get("/sources").json()["sources"]]
    entry = open_service.data_dir / "sources"
    assert list(entry.iterdir()) == []
    done = [
        (line["action"], line["status"], line.get("object"))
        for line in lines(open_service)
        if line["action"].startswith("source.")
    ]
    path = "shared/talks.jsonl"
    assert done == [
        ("source.inspect", 200, {"path": path}),
        ("source.add", 201, {"path": path, "source": "talks"}),
        ("source.add", 409, {"path": path}),
        ("source.add", 201, {"path": path, "source": "talks"}),
        ("source.remove", 204, {"source": "talks"}),
        ("source.remove", 404, None),
        ("source.remove", 404, None),
    ]
    log = json.dumps(lines(open_service)) + open_service.log()
    assert "Pourquoi" not in log


def test_texts_are_for_who_may_read(open_service: Service) -> None:
    with as_(open_service, "sources") as client:
        found = client.post("/sources/inspect", json={"path": "shared/talks.jsonl"})
        assert found.status_code == 200
        assert found.json()["preview"]["records"] is None
        assert "Pourquoi" not in found.text
        assert "Écoute" not in found.text


def test_nothing_leads_out_of_the_folder(open_service: Service, shared: Path) -> None:
    secret = shared.parent / "secret"
    (shared / "link.jsonl").symlink_to(secret / "secret.jsonl")
    (shared / "linked").symlink_to(secret)
    (shared / "deep").mkdir()
    (shared / "deep" / "link.jsonl").symlink_to(secret / "secret.jsonl")
    os.mkfifo(shared / "pipe.jsonl")
    with as_(open_service, "read", "sources") as client:
        for path in (
            "../secret/secret.jsonl",
            "shared/../secret/secret.jsonl",
            "secret/secret.jsonl",
            str(secret / "secret.jsonl"),
            str(shared / "talks.jsonl"),
            "/etc/passwd",
            "shared/link.jsonl",
            "shared/linked/secret.jsonl",
            "shared/linked",
            "shared/pipe.jsonl",
            "shared/talks.jsonl/",
            "shared/\0",
            ".",
            "~/x",
        ):
            for route in ("/sources/inspect", "/sources"):
                answer = client.post(route, json={"path": path})
                if path == "shared/talks.jsonl/":
                    assert answer.status_code in (200, 201)
                    continue
                assert (answer.status_code, answer.json()["code"]) == (403, "source-refused"), path
                assert SECRET not in answer.text
                assert str(shared.parent) not in answer.text
        # Of a folder only what lies in it counts.
        deep = client.post("/sources/inspect", json={"path": "shared/deep"})
        assert (deep.status_code, deep.json()["code"]) == (422, "source-unfit")
        none = client.post("/sources/inspect", json={"path": "shared/none.jsonl"})
        assert (none.status_code, none.json()["code"]) == (422, "source-unfit")
        assert none.json()["title"] == "no such file or folder"


def test_a_folder_is_looked_at_as_a_merge_reads_it(open_service: Service, shared: Path) -> None:
    import datasets

    folder = shared / "saved"
    datasets.DatasetDict(
        {"train": datasets.Dataset.from_list(ROWS[:1]), "test": datasets.Dataset.from_list(ROWS)}
    ).save_to_disk(folder)
    (folder / "notes.txt").write_text("…")
    # What would tell which files are data leads out of the folder, and tells nothing.
    secret = shared.parent / "secret"
    (secret / "state.json").write_text(json.dumps({"_data_files": [{"filename": "a.jsonl"}]}))
    (folder / "linked").symlink_to(secret)
    write(shared / "led" / "a.jsonl", ROWS)
    write(shared / "led" / "b.jsonl", ROWS)
    (shared / "led" / "state.json").symlink_to(secret / "state.json")
    with as_(open_service, "read", "sources") as client:
        for split, rows in (("train", ROWS[:1]), ("test", ROWS[:3])):
            body = {"path": "shared/saved", "split": split}
            found = client.post("/sources/inspect", json=body).raise_for_status().json()
            assert (found["splits"], found["split"]) == (["train", "test"], split)
            assert [one["input"] for one in found["preview"]["records"]] == [
                row["question"] for row in rows
            ]
            assert f'split = "{split}"' in found["entry"] or split == "train"
            not_read = {each["path"]: each["reason"] for each in found["not_read"]}
            assert not_read["notes.txt"] == "its ending is none that is read"
            assert not_read["linked"] == "a symbolic link, which is not followed"
            assert f"{split}/state.json" in not_read
        led = client.post("/sources/inspect", json={"path": "shared/led"}).json()
        assert [file["path"] for file in led["files"]] == ["a.jsonl", "b.jsonl"]
        none = client.post("/sources/inspect", json={"path": "shared/saved", "split": "more"})
        assert (none.status_code, none.json()["code"]) == (422, "source-unfit")
        for path in ("shared/led", "shared/talks.jsonl"):
            refused = client.post("/sources/inspect", json={"path": path, "split": "test"})
            assert (refused.status_code, refused.json()["code"]) == (422, "source-unfit")


def test_a_packed_table_is_inspected_added_and_merged(open_service: Service, shared: Path) -> None:
    text = "question;answer\nSchläft er „gut“?;Nein – seit Mai…\nMüde?;Ja, früh müde.\n"
    (shared / "table.csv.gz").write_bytes(gzip.compress(text.encode("cp1252")))
    body = {"path": "shared/table.csv.gz"}
    with as_(open_service, "write", "sources") as client:
        found = client.post("/sources/inspect", json=body).raise_for_status().json()
        (file,) = found["files"]
        assert (file["format"], file["compression"], file["rows"]) == ("csv", "gzip", 2)
        assert file["text"] == {
            "encoding": "cp1252",
            "guessed": True,
            "confidence": 0.9,
            "delimiter": ";",
            "header": ["question", "answer"],
            "rows_under": "",
        }
        shown = [f"{one['input']};{one['response']}" for one in found["preview"]["records"]]
        assert shown == text.splitlines()[1:]
        client.post("/sources", json=body).raise_for_status()
        open_service.start_worker()
        open_service.wait_until_ready()
        job = client.post("/merge", json={"sources": ["table"]}).raise_for_status().json()
        assert finished(client, job)["state"] == "succeeded", open_service.log()
        records = client.get("/records").json()["records"]
        assert [f"{one['input']};{one['response']}" for one in records] == shown


def test_a_licence_that_is_a_link_is_not_read(open_service: Service, shared: Path) -> None:
    (shared / "LICENSE").unlink()
    (shared.parent / "secret" / "LICENSE").write_text("MIT License")
    (shared / "LICENSE").symlink_to(shared.parent / "secret" / "LICENSE")
    with as_(open_service, "read", "sources") as client:
        found = client.post("/sources/inspect", json={"path": "shared/talks.jsonl"}).json()
    assert found["licence"]["id"] == "LicenseRef-Unknown"


def test_what_is_swapped_while_it_is_opened_leads_nowhere(shared: Path) -> None:
    """A folder on the way becomes a link and a folder again, as fast as it goes."""
    write(shared / "way" / "secret.jsonl", ROWS)
    aside, link = shared / "aside", shared / "link"
    link.symlink_to(shared.parent / "secret")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            (shared / "way").rename(aside)
            link.rename(shared / "way")
            (shared / "way").rename(link)
            aside.rename(shared / "way")

    swapper = threading.Thread(target=swap)
    swapper.start()
    read = refused = 0
    try:
        while read < 50 or refused < 50:
            try:
                with open_inside("shared/way/secret.jsonl", [shared]) as there:
                    local = there.place.files[0].local
                    assert SECRET not in local.read_text("utf-8")
                    assert plan_shards(local, "secret.jsonl", "jsonl")
                read += 1
            except MindcorpusError:
                refused += 1
    finally:
        over.set()
        swapper.join()


def test_a_name_is_that_of_a_folder_and_what_is_below(shared: Path) -> None:
    assert named("shared/a/b.csv", [Path("/x"), shared]) == shared / "a" / "b.csv"
    assert named("shared", [shared]) == shared


def test_a_repository_is_of_a_named_owner(open_service: Service, hub: HubServer) -> None:
    for owner in ("someone", "other"):
        write(Path(hub.root) / "datasets" / owner / "talks" / "train.jsonl", ROWS)
    with as_(open_service, "read", "sources") as client:
        found = client.post("/sources/inspect", json={"repository": "someone/talks"})
        assert found.raise_for_status().json()["split"] == "train"
        hub.requests.clear()
        for name in ("other/talks", "someone.else/talks", "someoneelse/talks"):
            answer = client.post("/sources", json={"repository": name})
            assert (answer.status_code, answer.json()["code"]) == (403, "source-refused")
            assert "someone" in answer.json()["hint"]
        assert not hub.requests
        added = client.post("/sources", json={"repository": "someone/talks", "name": "Talks"})
        assert (added.status_code, added.json()["home"]) == (201, "someone/talks")
        nothing = client.post("/sources/inspect", json={"repository": "someone/nothing"})
        assert nothing.status_code == 502
    entry = (open_service.data_dir / "sources" / "Talks.toml").read_text("utf-8")
    assert 'repository = "someone/talks"' in entry


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"url": "http://127.0.0.1/x.csv"}, "a URL is not taken over HTTP"),
        ({"url": "http://a.b/x.csv", "path": "shared/a"}, "a URL is not taken over HTTP"),
        ({}, "give one of"),
        ({"path": "shared/a", "repository": "someone/a"}, "give one of"),
        ({"path": "shared/a", "name": "no name!"}, "name"),
        ({"repository": "https://huggingface.co/x/y"}, "repository"),
    ],
)
def test_what_is_no_request_is_told(quiet: Service, body: dict[str, str], words: str) -> None:
    with as_(quiet, "read", "sources") as client:
        for route in ("/sources/inspect", "/sources"):
            answer = client.post(route, json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
            assert words in answer.json()["detail"]


def test_what_cannot_be_a_source_is_told(open_service: Service, shared: Path) -> None:
    write(shared / "odd.jsonl", [{"x": "y"}])
    (shared / "broken.parquet").write_bytes(b"PAR1 no")
    with as_(open_service, "read", "sources") as client:
        odd = client.post("/sources/inspect", json={"path": "shared/odd.jsonl"})
        assert (odd.status_code, odd.json()["layout"], odd.json()["entry"]) == (200, None, "")
        for body, words in (
            ({"path": "shared/odd.jsonl"}, "no layout that is known"),
            ({"path": "shared/broken.parquet"}, "not Parquet"),
            ({"path": "shared/talks.jsonl", "name": "TRACE"}, "the name TRACE is taken"),
            ({"path": "shared/talks.jsonl", "split": "test"}, "only repositories"),
        ):
            answer = client.post("/sources", json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "source-unfit"), body
            assert words in answer.json()["title"]
    assert not (open_service.data_dir / "sources").exists()


def test_an_entry_that_is_broken_is_named_and_spares_the_others(open_service: Service) -> None:
    folder = open_service.data_dir / "sources"
    folder.mkdir(parents=True)
    (folder / "wrong.toml").write_text("no")
    with as_(open_service, "write", "sources") as client:
        told = client.get("/sources").json()
        assert [one["name"] for one in told["broken"]] == ["wrong"]
        assert "sources/wrong.toml" in told["broken"][0]["reason"]
        assert len(told["sources"]) == 7
        refused = client.post("/merge", json={"sample": True})
        assert (refused.status_code, refused.json()["code"]) == (500, "catalog")
        assert refused.json()["file"].endswith("wrong.toml")
        assert client.post("/merge", json={"sample": True, "sources": ["TRACE"]}).status_code == 202


def test_a_second_server_sees_it_at_once(
    open_service: Service, redis_server: RedisServer, shared: Path
) -> None:
    with as_(open_service, "read", "sources") as client:
        client.post("/sources", json={"path": "shared/talks.jsonl"}).raise_for_status()
    other = Service(open_service.folder, redis_server.url)
    try:
        other.start_web()
        with other.client() as client:
            names = [one["name"] for one in client.get("/sources").json()["sources"]]
        assert names[-1] == "talks"
    finally:
        other.stop()


def test_a_backup_holds_what_was_added(redis_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "sources"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "talks.toml").write_text("…", "utf-8")
    settings = WebSettings.model_validate({"redis_url": redis_url, "data_dir": tmp_path / "data"})
    write_backup(settings, tmp_path / "backup.tar")
    with tarfile.open(tmp_path / "backup.tar") as archive:
        kept = archive.extractfile("data/sources/talks.toml")
        assert kept is not None
        assert kept.read() == "…".encode()
