"""/sources, /statistics, /records: what the corpus is made of and holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from sample_numbers import KEPT
from talks import TALKS, merge_talks

from mindcorpus.storage.kinds import CORPUS

if TYPE_CHECKING:
    import httpx2
    from running import Service


#: What stands beside the six fields of a record.
BESIDE = ("messages", "rejected_messages", "tools", "parallel_tool_calls", "metadata")


def set_apart(found: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Give row and six fields of a record, and which fields stand beside them."""
    six = {name: value for name, value in found.items() if name not in BESIDE}
    return six, found.keys() - six.keys()


@pytest.fixture
def records(corpus: Path) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads((corpus / f"{CORPUS}.json").read_text())
    return read


def test_sources_come_with_homes_and_licences(asking: httpx2.Client) -> None:
    sources = asking.get("/sources").json()["sources"]
    assert [source["name"] for source in sources] == [
        "Human-Like-DPO-Dataset",
        "mental_health_counseling_conversations",
        "Psych-101",
        "MentalChat16K",
        "RedditESS",
        "TRACE",
        "Depression-Reddit-Cleaned",
    ]
    by_name = {source["name"]: source for source in sources}
    trace = by_name["TRACE"]
    assert (trace["home"], trace["commercial"]) == ("PomboLabs/TRACE", False)
    assert trace["licence"]["id"] == "CC-BY-NC-4.0"
    assert trace["licence"]["terms"]
    assert by_name["RedditESS"]["absent"]
    assert by_name["RedditESS"]["home"] == ""


def test_statistics_are_those_of_the_manifest(asking: httpx2.Client, corpus: Path) -> None:
    manifest = json.loads((corpus / f"{CORPUS}.manifest.json").read_text())
    assert asking.get("/statistics").json() == manifest["statistics"]


@pytest.mark.parametrize("path", ["/merge", "/prepare", "/artifacts"])
def test_without_a_corpus_there_is_an_answer_still(asking: httpx2.Client, path: str) -> None:
    assert asking.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/statistics", "/records", "/records/0"])
def test_without_a_corpus_there_is_nothing_to_show(asking: httpx2.Client, path: str) -> None:
    answer = asking.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "no-corpus")


def test_records_come_in_pages(asking: httpx2.Client, records: list[dict[str, Any]]) -> None:
    found: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        page = asking.get("/records", params={"offset": offset, "limit": 100}).json()
        assert page["matched"] == len(records)
        found += page["records"]
        offset = page["next_offset"]
    assert [set_apart(each) for each in found] == [
        ({"row": row, **record}, {*BESIDE}) for row, record in enumerate(records)
    ]


def test_records_are_filtered_and_searched(
    asking: httpx2.Client, records: list[dict[str, Any]]
) -> None:
    source = asking.get("/records", params={"source": "TRACE", "limit": 100}).json()
    assert source["matched"] == sum(record["source"] == "TRACE" for record in records)
    assert {record["source"] for record in source["records"]} == {"TRACE"}
    kind, tag = records[0]["type"], next(tag for record in records for tag in record["tags"])
    typed = asking.get("/records", params={"type": kind}).json()
    assert typed["matched"] == sum(record["type"] == kind for record in records)
    tagged = asking.get("/records", params={"tag": tag}).json()
    assert tagged["matched"] == sum(tag in record["tags"] for record in records)
    word = max(records[0]["input"].split(), key=len).strip(".,!?")
    searched = asking.get("/records", params={"search": word.upper()}).json()
    assert 0 in [record["row"] for record in searched["records"]]
    assert asking.get("/records", params={"search": "xyzzyplugh"}).json()["records"] == []


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "offset=-1", f"offset={2**53}", "source=", "tags=x", "offset=0x1"],
)
def test_a_query_is_checked(asking: httpx2.Client, query: str) -> None:
    answer = asking.get(f"/records?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


@pytest.mark.parametrize("query", ["source=Nobody", "type=none", "tag=none"])
def test_what_the_corpus_does_not_have_is_said(
    asking: httpx2.Client, corpus: Path, query: str
) -> None:
    answer = asking.get(f"/records?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "settings")


def test_a_record_is_shown_with_where_it_came_from(
    asking: httpx2.Client, records: list[dict[str, Any]]
) -> None:
    row = len(records) - 1
    shown = asking.get(f"/records/{row}").json()
    assert set_apart(shown["record"]) == ({"row": row, **records[row]}, {*BESIDE})
    assert shown["lineage"]["corpus_row"] == row
    assert shown["lineage"]["source"] == records[row]["source"]
    assert shown["lineage"]["file"]
    assert shown["lineage"]["licence"]


def test_conversations_are_shown_as_their_source_has_them_and_as_the_document_says(
    asking: httpx2.Client, quiet: Service, tmp_path: Path
) -> None:
    merge_talks(tmp_path / "data", TALKS)
    shutil.copytree(tmp_path / "data", quiet.data_dir, symlinks=True)
    page = asking.get("/records").json()
    assert [{name: found[name] for name in BESIDE} for found in page["records"]] == [
        {name: talk.get(name) for name in BESIDE} for talk in TALKS
    ]
    document = asking.get(f"{quiet.url}/openapi.json").json()

    def is_as_said(value: Any, schema: str) -> bool:
        reference = {"$ref": f"#/components/schemas/{schema}"}
        validator = jsonschema_rs.Draft202012Validator(
            {**reference, "components": document["components"]}
        )
        return validator.is_valid(value)

    assert is_as_said(page, "RecordPage")
    for row, found in enumerate(page["records"]):
        shown = asking.get(f"/records/{row}").json()
        assert is_as_said(shown, "RecordWithLineage")
        assert shown["record"] == found
    assert shown["lineage"]["holds"] == ["turns"]
    told = document["components"]["schemas"]["RecordPage.Message"]["properties"]
    turns = [turn for talk in TALKS for turn in talk.get("messages", ())]
    assert {key for turn in turns for key in turn} == {*told}
    page["records"][1]["messages"][0]["name"] = None
    assert not is_as_said(page, "RecordPage")


@pytest.mark.parametrize("row", [KEPT, 10**18, 10**30])
def test_a_row_that_is_not_there_is_not_found(
    asking: httpx2.Client, corpus: Path, row: int
) -> None:
    answer = asking.get(f"/records/{row}")
    assert (answer.status_code, answer.json()["code"]) == (404, "record-not-found")


@pytest.mark.parametrize("row", ["-1", "x", "1.0", "%00", "٣"])
def test_what_is_no_row_is_not_found(asking: httpx2.Client, corpus: Path, row: str) -> None:
    assert asking.get(f"/records/{row}").status_code == 404
