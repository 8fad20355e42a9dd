"""What counts tokens, by a word for it: an estimate, a named vocabulary, or a file of one's own.

No tokenizer here asks a network: vocabularies come with what the extra `tokens` installs. A
tokenizer crosses to another process as the words that make it, and is made there once.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

from mindcorpus.errors import SettingsError
from mindcorpus.tokens.estimate import Estimate

#: What stands before the path of a file; for who types or programs, never taken over HTTP.
FILE = "file:"
#: The named vocabularies, and what each is called by those who publish it.
VOCABULARIES = {"o200k": "o200k_base", "cl100k": "cl100k_base"}
#: All that need no file.
NAMES = (Estimate.name, *VOCABULARIES)
#: What to do where a library is not there.
INSTALL = "pip install 'mindcorpus[tokens]'"


class Tokenizer(Protocol):
    """Counts tokens; can be pickled."""

    @property
    def name(self) -> str:
        """What its counts are said to be of: the same on every machine, without a path."""

    @property
    def exact(self) -> bool:
        """Whether it counts by a vocabulary; an estimate does not."""

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text; what stands for a special token counts as text.

        Any text has a count: half a surrogate pair counts as U+FFFD, as tiktoken has it.
        """


def tokenizer(spec: str) -> Tokenizer:
    """Give the tokenizer of a word: `estimate`, `o200k`, `cl100k`, or `file:PATH`.

    Raises `SettingsError` if there is none of that name, if the extra `tokens` is not installed,
    or if the file is no tokenizer.
    """
    if spec == Estimate.name:
        return Estimate()
    if spec in VOCABULARIES:
        from mindcorpus.tokens.vocabulary import vocabulary  # late: the extra may not be there

        with_library("toktok", "tiktoken")
        return vocabulary(spec, VOCABULARIES[spec])
    if is_file(spec):
        from mindcorpus.tokens.tokenizer_file import read_tokenizer  # late, as above

        with_library("tokenizers")
        return read_tokenizer(spec.removeprefix(FILE))
    if "@" in spec:
        raise SettingsError(
            f"the tokenizer {spec!r} is one of a file, which is not known here",
            field="tokenizer",
            hint=f"Give its file again, {FILE}PATH.",
        )
    raise SettingsError(
        f"there is no tokenizer {spec!r}",
        field="tokenizer",
        hint=f"Known: {', '.join((Estimate.name, *VOCABULARIES))}, and {FILE}PATH of a "
        "tokenizer.json.",
    )


def default_tokenizer() -> str:
    """Give what counts for a limit where none is named: `o200k`, or without the extra `estimate`.

    Who writes an artifact keeps the word in its settings, since it is not the same everywhere.
    """
    installed = all(find_spec(name) for name in ("toktok", "tiktoken"))
    return next(iter(VOCABULARIES)) if installed else Estimate.name


def is_file(spec: str) -> bool:
    """Whether a word names a file of this machine; who listens to others refuses those."""
    return spec.startswith(FILE)


def with_library(*names: str) -> None:
    """Raise `SettingsError` if a library of the extra is not installed."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"counting tokens needs {' and '.join(missing)}, which is not installed",
            field="tokenizer",
            hint=f"Install it: {INSTALL}. Or take {Estimate.name!r}, which needs nothing.",
        )
