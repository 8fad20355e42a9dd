"""build: what merge and then prepare give, to the byte, with each text encoded once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from chats import chat, chat_source
from command_line import run
from corpora import merge_own, merge_sample, own_rows

from mindcorpus.building.build import BuildResult, build
from mindcorpus.corpus import row_batch
from mindcorpus.corpus.parquet import ParquetFile
from mindcorpus.errors import (
    CancelledError,
    DataError,
    ExistsError,
    SettingsError,
)
from mindcorpus.formats.registry import FORMATS
from mindcorpus.job_requests import MergeRequest, PrepareRequest
from mindcorpus.preparing import runs
from mindcorpus.preparing.prepare import prepare
from mindcorpus.progress import Cancellation, Progress
from mindcorpus.settings import Settings
from mindcorpus.storage.kinds import KINDS, MANIFEST
from mindcorpus.storage.store import Store
from mindcorpus.verify import verify

#: Texts beyond ASCII, with what JSON and CSV escape.
ODD = '“Grüße”, said Zoë: "I’m fine"\r\n\tn\u0303 \U0001f642 \u2028 ,'


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Sources of plain records, pairs and conversations, and of one that repeats records."""
    own = tmp_path_factory.mktemp("own")
    plain = [{"q": f"plain {n // 2} {ODD}", "a": f"answer {n} {ODD * (n % 7)}"} for n in range(90)]
    pairs = [{"q": f"pair {n // 3}", "a": f"yes {n // 2}", "r": f"no {n} {ODD}"} for n in range(30)]
    chats = [
        chat(
            ("system", "Be kind."),
            ("user", f"chat {n // 2} {ODD}"),
            ("assistant", "Go on."),
            ("user", f"more {n}"),
            ("assistant", f"I see {n}. {ODD}"),
        )
        for n in range(40)
    ]
    return [
        own_rows(own, "plain", [*plain, {"q": "no answer", "a": ""}, {"q": "", "a": "nothing"}]),
        own_rows(own, "pairs", pairs, options='rejected_response = "r"\n'),
        chat_source(own, "chats", chats),
        own_rows(own, "again", [*plain[:40], {"q": "again", "a": ODD}]),
    ]


def files_of(data_dir: Path) -> dict[str, bytes]:
    """Give all published files by their paths, of the current builds."""
    store = Store(data_dir)
    return {
        f"{kind}/{path.relative_to(folder)}": path.read_bytes()
        for kind in KINDS
        if store.exists(kind)
        for folder in [store.folder(kind)]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def built(
    data_dir: Path, catalogs: Sequence[str], workers: int = 1, force: bool = False, **chosen: Any
) -> BuildResult:
    names = tuple(Path(file).stem for file in catalogs)
    corpus = MergeRequest(sources=names, catalogs=tuple(catalogs), force=force)
    settings = Settings(data_dir=data_dir, workers=workers)
    return build(corpus, PrepareRequest(**chosen), settings)


def one_after_the_other(data_dir: Path, catalogs: Sequence[str], **chosen: Any) -> None:
    merge_own(data_dir, *catalogs)
    prepare(PrepareRequest(**chosen), Settings(data_dir=data_dir, workers=1))


EVERY = tuple(FORMATS)
CHOSEN: Mapping[str, Mapping[str, Any]] = {
    "of the guide": {},
    "every": {"formats": EVERY, "test_share": 0.15},
    "selected": {
        "formats": ("openai", "huggingface", "sharegpt", "gemini"),
        "exclude": ("again",),
        "caps": {"plain": 20},
        "mix": {"chats": 2.5, "pairs": 2},
        "min_words": 2,
        "seed": 7,
        "folds": 4,
        "system_prompt": "Listen.",
    },
    "counted": {"formats": ("openai", "chat"), "max_tokens": 40, "over_length": "cut-turns"},
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("chosen", CHOSEN.values(), ids=list(CHOSEN))
def test_it_gives_what_merge_and_then_prepare_give(
    tmp_path: Path,
    catalogs: list[str],
    monkeypatch: pytest.MonkeyPatch,
    chosen: Mapping[str, Any],
    workers: int,
) -> None:
    # Runs of one part and of several, and batches of a few rows.
    monkeypatch.setattr(runs, "_RUN_BYTES", 6000)
    monkeypatch.setattr(row_batch, "BATCH_BYTES", 4096)
    one_after_the_other(tmp_path / "apart", catalogs, **chosen)
    result = built(tmp_path / "built", catalogs, workers, **chosen)
    expected = files_of(tmp_path / "apart")
    found = files_of(tmp_path / "built")
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert verify(tmp_path / "built") == []
    assert set(result.formats) == set(chosen.get("formats", ("openai", "huggingface")))
    for name, each in result.formats.items():
        assert each.manifest == json.loads(expected[f"{name}/{MANIFEST}"])
    assert result.corpus.statistics["records"] == result.corpus.manifest["rows"]


def test_each_text_is_encoded_once_for_all_that_hold_it(
    tmp_path: Path, catalogs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: Counter[tuple[str, str]] = Counter()
    make = row_batch._Texts._make

    def counted(texts: Any, kind: str, name: str) -> Sequence[Any]:
        made = make(texts, kind, name)
        encoded[kind, name] += len(made)
        return made

    monkeypatch.setattr(row_batch._Texts, "_make", counted)
    asked: dict[str, Any] = {"formats": ("openai", "chat", "sharegpt", "huggingface"), "seed": 3}
    records = built(tmp_path / "built", catalogs, **asked).corpus.manifest["rows"]
    texts = ("input", "response", "rejected_response")
    assert {name: encoded["json", name] for name in texts} == dict.fromkeys(texts, records)
    assert {name: encoded["csv", name] for name in texts} == dict.fromkeys(texts, records)
    encoded.clear()
    one_after_the_other(tmp_path / "apart", catalogs, **asked)
    assert encoded["json", "input"] > records  # merged, and read back: encoded again


def test_the_corpus_is_read_once_by_prepare_and_never_by_build(
    tmp_path: Path, catalogs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[tuple[Path, int]] = Counter()
    read_group = ParquetFile.read_group

    def counted(file: Any, number: int, columns: Sequence[str]) -> Any:
        if "input" in columns:
            read[file._path, number] += 1
        return read_group(file, number, columns)

    monkeypatch.setattr(ParquetFile, "read_group", counted)
    built(tmp_path / "built", catalogs, formats=EVERY)
    assert not read
    one_after_the_other(tmp_path / "apart", catalogs, formats=EVERY)
    assert len(read) == len(catalogs)
    assert set(read.values()) == {1}


def test_what_exists_is_not_replaced_unless_it_may_be(tmp_path: Path, catalogs: list[str]) -> None:
    built(tmp_path, catalogs)
    before = files_of(tmp_path)
    with pytest.raises(ExistsError):
        built(tmp_path, catalogs[:1])
    assert files_of(tmp_path) == before
    again = built(tmp_path, catalogs[:1], force=True, formats=("chat",))
    assert again.corpus.manifest["rows"] == 90
    status = Store(tmp_path).status()
    assert not status["chat"]["outdated"]
    assert status["openai"]["outdated_by"] == "corpus-changed"


@pytest.mark.parametrize("tokenizer", [None, "estimate"], ids=["in one pass", "counted first"])
def test_formats_of_a_corpus_that_is_gone_keep_their_settings(
    tmp_path: Path, catalogs: list[str], tokenizer: str | None
) -> None:
    built(tmp_path, catalogs, formats=("sharegpt",), min_words=2, tokenizer=tokenizer)
    (tmp_path / "artifacts" / "corpus").unlink()
    again = built(tmp_path, catalogs, formats=("sharegpt",))
    settings = again.formats["sharegpt"].manifest["settings"]
    assert settings["min_words"] == 2
    assert settings.get("tokenizer") == tokenizer
    assert not Store(tmp_path).status()["sharegpt"]["outdated"]


@pytest.mark.parametrize("tokenizer", [None, "estimate"], ids=["in one pass", "counted first"])
def test_formats_that_stay_as_they_were_may_name_sources_that_are_gone(
    tmp_path: Path, catalogs: list[str], tokenizer: str | None
) -> None:
    built(tmp_path, catalogs, format="sharegpt", caps={"again": 1}, tokenizer=tokenizer)
    (tmp_path / "artifacts" / "corpus").unlink()
    again = built(tmp_path, catalogs[:1], format="sharegpt")
    assert again.formats["sharegpt"].rows == 90


def test_what_it_made_anew_holds_no_source_that_is_gone(
    tmp_path: Path, catalogs: list[str]
) -> None:
    built(tmp_path, catalogs, formats=("openai", "chat"))
    again = built(tmp_path, catalogs[:1], force=True, formats=("openai",))
    assert list(again.corpus.exports_holding) == ["chat"]


def test_what_it_replaced_yields_to_the_share_of_the_disk(
    tmp_path: Path, catalogs: list[str]
) -> None:
    built(tmp_path, catalogs)
    corpus = MergeRequest(sources=("plain",), catalogs=tuple(catalogs[:1]), force=True)
    build(corpus, PrepareRequest(), Settings(data_dir=tmp_path, disk_share=1e-9))
    assert [entry["kept"] for entry in Store(tmp_path).status().values()] == [[], [], []]


def test_a_format_that_cannot_be_made_keeps_no_other_from_it(
    tmp_path: Path, catalogs: list[str]
) -> None:
    with pytest.raises(SettingsError, match="trl-dpo"):
        built(tmp_path, catalogs[:1], formats=("openai", "trl-dpo"))
    store = Store(tmp_path)
    assert store.manifest("corpus")["rows"] == 90
    assert store.exists("openai")
    assert not store.exists("trl-dpo")


@pytest.mark.parametrize("tokenizer", [None, "estimate"], ids=["in one pass", "counted first"])
@pytest.mark.parametrize(
    "chosen",
    [
        {"validation_share": 0.999},
        {"caps": {"nobody": 3}},
        {"min_words": 100_000},
        {"format": "nothing"},
        {"format": "trl-dpo"},
    ],
    ids=["no training", "no such source", "no record", "no such format", "no pairs"],
)
def test_nothing_is_published_where_no_format_can_be_made(
    tmp_path: Path, catalogs: list[str], chosen: dict[str, Any], tokenizer: str | None
) -> None:
    built(tmp_path, catalogs[1:])
    before = files_of(tmp_path)
    with pytest.raises(SettingsError):
        built(tmp_path, catalogs[:1], force=True, tokenizer=tokenizer, **chosen)
    assert files_of(tmp_path) == before


def test_a_tokenizer_that_is_not_there_is_told_of_before_anything_is_read(
    tmp_path: Path, catalogs: list[str]
) -> None:
    told: list[Progress] = []
    corpus = MergeRequest(sources=("plain",), catalogs=tuple(catalogs[:1]))
    asked = PrepareRequest(tokenizer="nobody/knows")
    with pytest.raises(SettingsError, match="nobody/knows"):
        build(corpus, asked, Settings(data_dir=tmp_path), told.append)
    assert told == []


def test_a_source_that_fails_leaves_what_is_there(tmp_path: Path, catalogs: list[str]) -> None:
    built(tmp_path / "data", catalogs)
    before = files_of(tmp_path / "data")
    broken = own_rows(tmp_path, "broken", [{"q": "", "a": ""}])
    with pytest.raises(DataError):
        built(tmp_path / "data", [*catalogs, broken], force=True)
    assert files_of(tmp_path / "data") == before


@pytest.mark.parametrize("tokenizer", [None, "estimate"], ids=["in one pass", "counted first"])
@pytest.mark.parametrize("stage", ["read", "deduplicate", "write", "publish"])
def test_stopped_at_any_stage_it_publishes_nothing(
    tmp_path: Path, stage: str, tokenizer: str | None
) -> None:
    merge_sample(tmp_path)
    before, cancel = files_of(tmp_path), Cancellation()

    def report(progress: Progress) -> None:
        if progress.stage == stage:
            cancel.cancel()

    corpus = MergeRequest(sample=True, exclude=("TRACE",), force=True)
    settings = Settings(data_dir=tmp_path, workers=1)
    with pytest.raises(CancelledError):
        build(corpus, PrepareRequest(tokenizer=tokenizer), settings, report, cancel)
    assert files_of(tmp_path) == before
    assert list(Store(tmp_path).staging.iterdir()) == []


@pytest.mark.parametrize("tokenizer", [None, "estimate"], ids=["in one pass", "counted first"])
def test_it_tells_how_far_it_is(tmp_path: Path, tokenizer: str | None) -> None:
    told: list[Progress] = []
    settings = Settings(data_dir=tmp_path, workers=2)
    asked = PrepareRequest(tokenizer=tokenizer)
    result = build(MergeRequest(sample=True), asked, settings, told.append)
    shares = [each.share for each in told]
    assert shares == sorted(shares, key=lambda share: share or 0.0)
    assert shares[-1] == 1.0
    written = [each for each in told if each.stage == "write"][-1]
    rows = result.corpus.manifest["rows"] if tokenizer is None else result.formats["openai"].rows
    assert written.rows == written.rows_total == rows
    assert written.done == written.total


def test_the_command_tells_of_both(tmp_path: Path) -> None:
    done = run("build", "--sample", "openai", "--min-words", "2", "--data-dir", ".", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "Merged 489 records" in done.out
    assert "mental_health_openai.jsonl" in done.out
    manifest = Store(tmp_path).manifest("openai")
    assert manifest["settings"]["min_words"] == 2
    again = run("build", "--sample", "openai", "--data-dir", ".", cwd=tmp_path)
    assert again.code == 7
    assert "merged_mental_health_dataset.json exists" in again.err
    assert "mental_health_openai.jsonl exists" in again.err
    forced = run("build", "--sample", "openai", "-f", "--data-dir", ".", cwd=tmp_path)
    assert forced.code == 0, forced.err
    other = run(
        "build",
        "--sample",
        "chat",
        "trl-dpo",
        "--source",
        "TRACE",
        "-f",
        cwd=tmp_path,
        MINDCORPUS_DATA_DIR=".",
    )
    assert other.code == 3
    assert "Every row accounted for" in other.out
    assert "Outdated, made from an earlier corpus: openai." in other.out
    assert "chat: 44 records" in other.out
    assert "trl-dpo: the corpus holds no preference pairs; made were chat" in other.err
    far = run("--server", "http://127.0.0.1:1", "build", "--sample", cwd=tmp_path)
    assert far.code == 2
    assert "works on this machine only" in far.err
