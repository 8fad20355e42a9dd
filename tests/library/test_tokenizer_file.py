"""A tokenizer from a file of one's own: real files, made by the library that trainers use."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from tokenizers import Tokenizer as Trained
from tokenizers import models, pre_tokenizers, processors, trainers

from mindcorpus.errors import SettingsError
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.progress import Cancellation
from mindcorpus.tokens.tokenizer import Tokenizer, tokenizer

PROSE = ["I could not sleep, and so I talked to a friend.", "Ich schlafe schlecht.", "眠れない夜"]
SPECIAL = "<|end|>"
#: Any text, and halves of surrogate pairs within it.
broken = st.lists(st.text() | st.sampled_from("\ud83d\ude00")).map("".join)


def train(path: Path, **limits: Callable[[Any], None]) -> Trained:
    """Train a tokenizer of bytes, with what models want around a text, and write it."""
    made = Trained(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(PROSE * 20, trainer)
    made.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL} $A {SPECIAL}", special_tokens=[(SPECIAL, 0)]
    )
    for limit in limits.values():
        limit(made)
    made.save(str(path))
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokenizer.json"
    train(path)
    return path


def test_it_counts_what_the_library_counts_of_the_text_alone(file: Path) -> None:
    tokens, plain = tokenizer(f"file:{file}"), Trained.from_file(str(file))
    assert tokens.exact
    assert plain.encode("a").tokens == [SPECIAL, "a", SPECIAL]
    assert tokens.counts(["a", "", *PROSE]) == [
        len(plain.encode(text, add_special_tokens=False)) for text in ["a", "", *PROSE]
    ]


def test_it_is_called_by_its_name_and_content_and_not_by_its_place(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = tokenizer(f"file:{file}").name
    assert name.startswith("tokenizer.json@")
    assert str(tmp_path) not in name
    (tmp_path / "elsewhere").mkdir()
    moved = file.rename(tmp_path / "elsewhere" / file.name)
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    assert tokenizer("file:~/tokenizer.json").name == tokenizer(f"file:{moved}").name == name


def test_what_stands_for_a_special_token_is_text(file: Path) -> None:
    plain = Trained.from_file(str(file))
    assert plain.encode(SPECIAL, add_special_tokens=False).tokens == [SPECIAL]
    assert tokenizer(f"file:{file}").counts([SPECIAL]) != [1]


def test_no_text_is_cut_or_filled_up(tmp_path: Path) -> None:
    short, free = tmp_path / "short.json", tmp_path / "free.json"
    train(
        short,
        cut=lambda made: made.enable_truncation(4),
        fill=lambda made: made.enable_padding(length=9, pad_token=SPECIAL),
    )
    train(free)
    assert tokenizer(f"file:{short}").counts(PROSE) == tokenizer(f"file:{free}").counts(PROSE)


def test_any_text_has_a_count(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "tokenizer.json"
    train(path)
    tokens = tokenizer(f"file:{path}")

    @runs(deadline=None)
    @given(text=broken)
    def check(text: str) -> None:
        (found,) = tokens.counts([text])
        assert (found > 0) == bool(text)

    check()


# Other processes


def count(tokens: Tokenizer, _tick: object) -> list[int]:
    return tokens.counts(PROSE)


def test_workers_count_the_same(file: Path) -> None:
    tokens = tokenizer(f"file:{file}")
    mine = tokens.counts(PROSE)
    assert len(pickle.dumps(tokens)) < 500
    assert pickle.loads(pickle.dumps(tokens)) is tokens  # made once a process
    results = WorkerPool(2).run([Task(count, tokens)] * 4, lambda *_: None, Cancellation())
    assert results == [mine] * 4


def test_a_file_that_was_changed_is_the_tokenizer_that_it_is_now(file: Path) -> None:
    before = tokenizer(f"file:{file}")
    sent = pickle.dumps(before)
    made = Trained.from_file(str(file))
    made.add_tokens(["friend"])
    made.save(str(file))
    assert tokenizer(f"file:{file}").name != before.name
    pickle.loads(pickle.dumps(tokenizer(f"file:{file}")))
    from mindcorpus.tokens import tokenizer_file

    tokenizer_file._load.cache_clear()  # as in another process
    with pytest.raises(SettingsError, match="was changed while it was in use"):
        pickle.loads(sent)


# What is wrong


def told(spec: str) -> SettingsError:
    with pytest.raises(SettingsError) as error:
        tokenizer(spec)
    assert error.value.field == "tokenizer"
    assert error.value.advice
    return error.value


def test_a_path_that_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    wrong = {
        "gone.json": "there is no such file",
        "": "it is not a regular file",
        "pipe": "it is not a regular file",
        "a\0b": "there is no such file",
    }
    for name, reason in wrong.items():
        error = told(f"file:{tmp_path}/{name}")
        assert error.title == f"cannot read the tokenizer: {reason}"
        assert error.file == str(tmp_path / name).rstrip("/")
    told("file:")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"model": {"type": "BPE"}}', b"text", b"\0" * 99]
)
def test_a_file_that_is_no_tokenizer_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    error = told(f"file:{path}")
    assert error.title == "the file is no tokenizer that the library `tokenizers` reads"
    assert error.file == str(path)


def test_a_tokenizer_that_knows_not_all_texts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    made = Trained(models.WordLevel({"sleep": 0}, unk_token="?"))
    made.save(str(path))
    tokens = tokenizer(f"file:{path}")
    assert tokens.counts(["sleep"]) == [1]
    with pytest.raises(SettingsError) as error:
        tokens.counts(["secret"])
    assert "secret" not in f"{error.value} {error.value.advice}"
    assert "unk_token" in error.value.advice
