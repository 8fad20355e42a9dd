"""Tokenizers: exactly tiktoken's counts, any text, no network, and a word for what is wrong."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import tiktoken
from command_line import environment
from documents import read, table
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from tiktoken import model as models

from mindcorpus.errors import SettingsError
from mindcorpus.execution.worker_pool import Task, WorkerPool
from mindcorpus.progress import Cancellation
from mindcorpus.tokens import tokenizer as tokenizers
from mindcorpus.tokens.estimate import Estimate
from mindcorpus.tokens.tokenizer import VOCABULARIES, Tokenizer, default_tokenizer, tokenizer
from mindcorpus.tokens.vocabulary import _WORDS

pytest_plugins = ("published_tokens",)

Published = Mapping[str, tiktoken.Encoding]
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|endofprompt|>", "<|fim_prefix|>", "<s>", "[PAD]")
#: Where tokenizers differ: apostrophes, blanks, cases, marks, digits, joined emoji, what is new.
ODD = [
    *"aZ09 .,'\"\n\r\t/-_<|\0\x0b\x0c\x85\xa0\u2003\u200b\u200d\u2028\ufeff\u0300éßıİſǅʰ中日한्",
    *"🏽😂１²Ⅷ٣\u088f\u1ad0\ua7f1\U00010940\U0001e6c0\U000323b0",
    *("'s", "'LL", "'Ve", "'ſ", "’s", "  ", "\r\n\r\n", "👩‍👧", *SPECIAL),
]
#: Any text, and halves of surrogate pairs within it.
broken = st.lists(st.text() | st.sampled_from("\ud83d\ude00")).map("".join)
hostile = st.one_of(st.text(), st.lists(st.sampled_from(ODD), max_size=60).map("".join))


def plain_counts(encoding: tiktoken.Encoding, texts: list[str]) -> list[int]:
    return [len(encoding.encode_ordinary(text)) for text in texts]


def every_character() -> list[str]:
    return [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize("name", VOCABULARIES)
def test_every_character_counts_as_tiktoken_has_it(name: str, published: Published) -> None:
    # A contraction belongs to the word before it, if that is one: of all places where a character
    # could be taken for another kind, this shows the most.
    texts = [f"{character}'s" for character in every_character()]
    assert tokenizer(name).counts(texts) == plain_counts(published[name], texts)


@pytest.mark.parametrize("name", VOCABULARIES)
def test_any_text_counts_as_tiktoken_has_it(name: str, published: Published) -> None:
    @runs(max_examples=400, deadline=None)
    @given(texts=st.lists(hostile, max_size=5))
    def check(texts: list[str]) -> None:
        assert tokenizer(name).counts(texts) == plain_counts(published[name], texts)

    check()


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("piece", ["a", " ", "\n", "中", "\u0301", "😂", "1", "!", "a'ſ", "é "])
def test_a_text_without_end_counts_as_tiktoken_has_it(
    name: str, piece: str, published: Published
) -> None:
    text = piece * 100_000
    assert tokenizer(name).counts([text]) == plain_counts(published[name], [text])


@pytest.mark.parametrize("name", VOCABULARIES)
def test_words_are_cut_as_tiktoken_cuts_them(name: str, published: Published) -> None:
    assert _WORDS[VOCABULARIES[name]] == published[name]._pat_str


@pytest.mark.parametrize("name", ["estimate", *VOCABULARIES])
def test_what_stands_for_a_special_token_is_text(name: str) -> None:
    # As one token each they would be no more than the words around them.
    assert all(count > 1 for count in tokenizer(name).counts([*SPECIAL[:4]]))


@pytest.mark.parametrize("name", VOCABULARIES)
def test_half_a_surrogate_pair_counts_as_tiktoken_has_it(name: str, published: Published) -> None:
    texts = ["\ud83d", "a\udc00b", "\ude00\ud83d", "\ud83d\ude00", "ſ\ud800", "plain"]
    assert tokenizer(name).counts(texts) == plain_counts(published[name], texts)


@given(texts=st.lists(broken, max_size=4))
def test_an_estimate_is_a_token_for_each_four_bytes(texts: list[str]) -> None:
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    assert Estimate().counts(texts) == [(size + 3) // 4 for size in sizes]


@pytest.mark.parametrize("name", ["estimate", *VOCABULARIES])
def test_a_tokenizer_says_what_it_is(name: str) -> None:
    assert (tokenizer(name).name, tokenizer(name).exact) == (name, name != "estimate")
    assert tokenizer(name).counts([]) == []


# Other processes


def count(given: tuple[Tokenizer, list[str]], _tick: object) -> tuple[int, list[int]]:
    tokens, texts = given
    return os.getpid(), tokens.counts(texts)


@pytest.mark.parametrize("name", ["estimate", *VOCABULARIES])
def test_workers_count_the_same(name: str) -> None:
    texts = ["How are you?", "Wie geht’s?", "元気ですか", "a'ſ"]
    tokens = tokenizer(name)
    assert len(pickle.dumps(tokens)) < 200
    tasks = [Task(count, (tokens, texts))] * 4
    results = WorkerPool(2).run(tasks, lambda *_: None, Cancellation())
    assert os.getpid() not in {process for process, _ in results}
    assert [counts for _, counts in results] == [tokens.counts(texts)] * 4


@pytest.mark.parametrize("name", ["estimate", *VOCABULARIES])
def test_counting_opens_no_socket_and_keeps_no_file(name: str, tmp_path: Path) -> None:
    texts = ["Hello world", "a'ſ"]
    script = f"""
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit("a socket was asked for: " + event)
sys.addaudithook(refuse)
from mindcorpus.tokens.tokenizer import tokenizer
print(tokenizer({name!r}).counts({texts}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tokenizer(name).counts(texts)}\n"
    assert list(tmp_path.iterdir()) == []  # no cache either


# What is wrong


def test_an_unknown_name_is_told_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError) as told:
        tokenizer("gpt-9")
    assert str(told.value) == "there is no tokenizer 'gpt-9' (field tokenizer)"
    assert told.value.advice == "Known: estimate, o200k, cl100k, and file:PATH of a tokenizer.json."


@pytest.mark.parametrize(
    ("name", "library"),
    [("o200k", "toktok"), ("cl100k", "tiktoken"), ("file:any.json", "tokenizers")],
)
def test_without_the_extra_it_is_told_what_to_install(
    name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer("o200k")  # what was loaded before is no excuse
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SettingsError) as told:
        tokenizer(name)
    assert told.value.title == f"counting tokens needs {library}, which is not installed"
    assert told.value.advice == (
        "Install it: pip install 'mindcorpus[tokens]'. Or take 'estimate', which needs nothing."
    )


def test_who_names_none_gets_the_newest_or_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_tokenizer() == "o200k"
    monkeypatch.setitem(sys.modules, "toktok", None)
    assert default_tokenizer() == "estimate"
    assert tokenizer(default_tokenizer()).counts(["four"]) == [1]


def test_a_name_of_a_file_is_told_from_others() -> None:
    assert tokenizers.is_file("file:tokenizer.json")
    assert not any(map(tokenizers.is_file, ("estimate", "o200k", "tokenizer.json")))


# docs/formats.md


def test_the_models_of_each_vocabulary_are_as_tiktoken_has_them() -> None:
    rows = table(read("docs/formats.md"), "Tokens")
    named = {name: listed for name, listed, *_ in rows}
    assert list(named) == ["estimate", *VOCABULARIES, "file:PATH"]
    for name, there in VOCABULARIES.items():
        listed = [model.strip(" `") for model in named[name].split(",")]
        assert listed
        assert {models.encoding_name_for_model(model) for model in listed} == {there}
