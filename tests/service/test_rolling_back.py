"""Over HTTP: what was replaced is told, brought back, and read to its end by who began with it."""

from __future__ import annotations

import hashlib
import io
import os
import random
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from own_sources import source_of

from mindcorpus.api import merge_all_datasets
from mindcorpus.storage.store import Store

if TYPE_CHECKING:
    import httpx2
    from running import Service

PARQUET = "merged_mental_health_dataset.parquet"


def merge(data_dir: Path, folder: Path, *names: str) -> None:
    catalogs = [folder / f"{name}.toml" for name in names]
    merge_all_datasets(data_dir, sources=names, catalogs=catalogs, force=True)


def test_a_build_is_brought_back_over_http_and_a_lost_answer_undoes_nothing(
    asking: httpx2.Client, corpus: Path
) -> None:
    whole = asking.get("/statistics").json()
    first = asking.get("/merge").json()["build"]
    merge_all_datasets(corpus, sample=True, sources=("TRACE",), force=True)
    told = asking.get("/merge").json()
    assert [build["build"] for build in told["kept"]] == [first]
    assert told["kept"][0]["rows"] == whole["records"]
    answer = asking.post("/rollback", json={"build": first})
    assert answer.status_code == 200
    assert answer.json() == {
        "kind": "corpus",
        "build": first,
        "replaced": told["build"],
        "rows": whole["records"],
        "path": "merged_mental_health_dataset.json",
    }
    # Sent once more, as by who never got the answer.
    assert asking.post("/rollback", json={"build": first}).json()["replaced"] is None
    assert asking.get("/statistics").json() == whole
    assert asking.get("/merge").json()["build"] == first
    formats = asking.get("/prepare").json()["formats"]
    assert not any(entry["outdated"] for entry in formats.values())
    refused = asking.post("/rollback", json={"build": "corpus-0123456789abcdef"})
    assert (refused.status_code, refused.json()["code"]) == (404, "no-build")
    for body in ({}, {"build": "../x"}, {"build": 1}, {"build": first, "kind": "corpus"}):
        assert asking.post("/rollback", json=body).status_code == 422
    lineage = Path(os.path.realpath(corpus / "artifacts" / told["build"])) / "README.md"
    lineage.write_text("damaged")
    refused = asking.post("/rollback", json={"build": told["build"]})
    assert (refused.status_code, refused.json()["code"]) == (500, "corrupt-artifact")
    assert str(corpus) not in refused.text
    assert asking.get("/merge").json()["build"] == first


def test_an_archive_that_began_ends_though_the_corpus_is_replaced_again_and_again(
    quiet: Service, asking: httpx2.Client, tmp_path: Path
) -> None:
    noise = random.Random(1)
    for name in ("one", "two", "three"):
        source_of(
            tmp_path, name, [(f"{name} {at}", noise.randbytes(20_000).hex()) for at in range(250)]
        )
    merge(quiet.data_dir, tmp_path, "one", "two", "three")
    build = os.readlink(quiet.data_dir / "artifacts/corpus")
    manifest = Store(quiet.data_dir).manifest("corpus")
    told = {each["path"]: each["sha256"] for each in manifest["outputs"]}
    source_of(tmp_path, "small", [("q", "a")])
    source_of(tmp_path, "other", [("other", "a")])
    with asking.stream("GET", f"/artifacts/{PARQUET}") as answer:
        assert answer.status_code == 200
        came = answer.iter_raw()
        content = [next(came)]
        for name in ("small", "other", "small"):
            merge(quiet.data_dir, tmp_path, name)
        Store(quiet.data_dir).sweep()
        assert (quiet.data_dir / "artifacts" / build).is_dir()
        content += came
    with tarfile.open(fileobj=io.BytesIO(b"".join(content))) as archive:
        files = {
            member.name: hashlib.sha256(file.read()).hexdigest()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }
    assert files == {path: digest for path, digest in told.items() if path.startswith(PARQUET)}
    assert len(files) == 3
    # Whoever published last swept before the download was over; the next sweep takes it.
    Store(quiet.data_dir).sweep()
    assert not (quiet.data_dir / "artifacts" / build).exists()
