"""Lines of formats whose readers are not here, against a schema written from the reader's page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from corpora import merge_sample

from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import PrepareRequest
from mindcorpus.preparing.prepare import prepare
from mindcorpus.settings import Settings

_CONSUMERS = Path(__file__).parents[1] / "consumers"
_SCHEMAS = {path.stem: path for path in sorted((_CONSUMERS / "schemas").glob("*.json"))}
_TALKS = _CONSUMERS / "talks" / "catalog.toml"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with chats and pairs that no format can carry whole, and these formats of it."""
    folder = tmp_path_factory.mktemp("data")
    merge_sample(folder, catalogs=(str(_TALKS),))
    names = tuple(name for name in _SCHEMAS if name in FORMATS)
    prepare(PrepareRequest(formats=names), Settings(data_dir=folder, workers=1))
    return folder


def _validator(name: str) -> Any:
    return jsonschema_rs.validator_for(json.loads(_SCHEMAS[name].read_text("utf-8")))


@pytest.mark.parametrize("name", [name for name in _SCHEMAS if name in FORMATS])
def test_every_line_is_as_the_reader_s_page_says(name: str, data_dir: Path) -> None:
    validator = _validator(name)
    files = sorted((data_dir / FORMATS[name].path).glob("*.jsonl"))
    assert len(files) == 2
    for file in files:
        lines = file.read_text("utf-8").splitlines()
        assert lines
        for number, line in enumerate(lines, 1):
            found = [error.message for error in validator.iter_errors(json.loads(line))]
            assert not found, (file.name, number)


def test_each_format_that_a_schema_proves_has_one_with_its_page_and_date() -> None:
    assert {name for name, entry in FORMATS.items() if entry.proof == "schema"} <= {*_SCHEMAS}
    for path in _SCHEMAS.values():
        comment = json.loads(path.read_text("utf-8"))["$comment"]
        assert "https://" in comment
        assert "2025-" in comment or "2026-" in comment


_ASKED = {"messages": [{"role": "user", "content": "Hm?"}]}
_SAID = [{"role": "assistant", "content": "Yes."}]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("bedrock", {"schemaVersion": "bedrock-conversation-2023", "messages": []}),
        ("gemini", {"contents": [{"role": "assistant", "parts": [{"text": "Hm?"}]}]}),
        ("mlx", {"prompt": "Hm?", "completion": "Yes."}),
        (
            "openai-preference",
            {"input": _ASKED, "preferred_output": _SAID, "non_preferred_output": []},
        ),
        (
            "openai-preference",
            {"input": _ASKED, "preferred_output": _SAID, "non_preferred_output": _SAID, "id": 1},
        ),
    ],
)
def test_a_line_of_another_shape_is_found(name: str, line: dict[str, Any]) -> None:
    assert not _validator(name).is_valid(line)
