"""How fast tokens are counted, and how near the estimate is. `python -m bench.tokens [FILE...]`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tokenizers import Tokenizer as Trained
from tokenizers import models, pre_tokenizers, trainers

from bench.prose import Prose
from mindcorpus.tokens.tokenizer import VOCABULARIES, Tokenizer, tokenizer
from mindcorpus.tokens.vocabulary import _tiktoken

if TYPE_CHECKING:
    import tiktoken

_SIZE = 20_000_000
_BEYOND_ASCII = [
    *("это", "не", "так", "просто", "как", "кажется", "今日はとても疲れました", "我最近睡得不好"),
    *(
        "أشعر",
        "بالقلق",
        "दिन",
        "भर",
        "थकान",
        "😂🤔💜",
        "“naïve”",
        "café",
        "—",
        "Zürich",
        "ελληνικά",
    ),
    *("γλώσσα", "한국어", "문장입니다", "שלום", "לכולם", "ไม่สบายใจเลย"),
]


def texts_of(size: int, *, half_beyond: bool) -> list[str]:
    """Make texts of that many bytes: prose in ASCII, or every other one beyond it."""
    prose = Prose(Random(1))
    found: list[str] = []
    while size > 0:
        text = prose.text(5, 40)
        if half_beyond and len(found) % 2:
            text = " ".join(prose.random.choices(_BEYOND_ASCII, k=len(text) // 10))
        found.append(text)
        size -= len(text.encode())
    return found


class Plain:
    """What a vocabulary is compared with: tiktoken, a text at a time."""

    exact = True

    def __init__(self, published: str) -> None:
        self.name = f"{published} of tiktoken"
        self._encoding: tiktoken.Encoding = _tiktoken(published)

    def counts(self, texts: list[str]) -> list[int]:
        """Count the tokens of each text."""
        return [len(self._encoding.encode_ordinary(text)) for text in texts]


def train(path: Path, texts: list[str]) -> None:
    """Write a tokenizer of bytes with 32,000 tokens, trained on some of the texts."""
    made = Trained(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=32_000, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(texts[:1000], trainer)
    made.save(str(path))


def speed(tokens: Tokenizer | Plain, texts: list[str], rounds: int = 3) -> float:
    """Give megabytes a second of one core, the best of some rounds."""
    size = sum(len(text.encode()) for text in texts)
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        tokens.counts(texts)
        taken.append(time.process_time() - begun)
    return size / min(taken) / 1e6


def print_speeds(folder: Path) -> None:
    """Print a table of speeds."""
    ascii_only, mixed = (texts_of(_SIZE, half_beyond=half) for half in (False, True))
    file = folder / "tokenizer.json"
    train(file, mixed)
    named = [tokenizer(spec) for spec in ("estimate", *VOCABULARIES, f"file:{file}")]
    print("| tokenizer | ASCII, MB/s | half beyond ASCII, MB/s |")
    print("|---|---|---|")
    compared: list[Tokenizer | Plain] = [*named, *map(Plain, VOCABULARIES.values())]
    for tokens in compared:
        figures = (speed(tokens, texts) for texts in (ascii_only, mixed))
        print(f"| {tokens.name} | {' | '.join(f'{figure:,.1f}' for figure in figures)} |")


def print_errors(files: list[Path]) -> None:
    """Print how far the estimate is from each vocabulary, for files of text in UTF-8."""
    print(f"| file | bytes | {' | '.join(VOCABULARIES)} |")
    print("|---|---|" + "---|" * len(VOCABULARIES))
    for file in files:
        texts = file.read_text("utf-8").split("\n\n")
        estimated = sum(tokenizer("estimate").counts(texts))
        off = [estimated / sum(tokenizer(name).counts(texts)) - 1 for name in VOCABULARIES]
        size = sum(len(text.encode()) for text in texts)
        print(f"| {file.stem} | {size:,} | {' | '.join(f'{each:+.0%}' for each in off)} |")


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.tokens", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.files:
        print_errors(given.files)
    else:
        folder = Path(__file__).parent / "data"
        folder.mkdir(exist_ok=True)
        print_speeds(folder)


if __name__ == "__main__":
    main()
