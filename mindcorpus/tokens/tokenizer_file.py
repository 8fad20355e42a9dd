"""A tokenizer of one's own, from the `tokenizer.json` that the `tokenizers` library writes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mindcorpus.errors import SettingsError
from mindcorpus.tokens.surrogates import without_halves

if TYPE_CHECKING:
    import tokenizers


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer, where its file lies, and what it is called: the file's name and its sha256."""

    name: str
    path: Path
    sha256: str
    loaded: tokenizers.Tokenizer = field(repr=False, compare=False)
    exact: bool = True

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text, without those that a model wants around it.

        Raises `SettingsError` if there are texts that this tokenizer cannot take.
        """
        # One by one, in this thread: a batch would take all cores, and a worker has one.
        try:
            return [
                len(self.loaded.encode(text, add_special_tokens=False).ids)
                for text in without_halves(texts)
            ]
        except Exception as error:  # the library raises no narrower one
            raise SettingsError(
                "the tokenizer has no token for a part of a text, and none for what is unknown",
                field="tokenizer",
                file=str(self.path),
                hint="Take one of bytes, or one whose model names an `unk_token` that it has.",
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self.path, self.sha256)


def read_tokenizer(path: str) -> TokenizerFile:
    """Read a file; raises `SettingsError` if it cannot be read, or is no tokenizer."""
    found = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - that of Path may raise
    return _load(found, hashlib.sha256(_read(found)).hexdigest())


@lru_cache(maxsize=4)
def _load(path: Path, sha256: str) -> TokenizerFile:
    """Make a tokenizer of a file; raises `SettingsError` if it is not the one it was."""
    from tokenizers import Tokenizer  # late: it is of the extra

    content = _read(path)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SettingsError(
            "the tokenizer's file was changed while it was in use",
            field="tokenizer",
            file=str(path),
            hint="Begin again when it is as it is to be.",
        )
    try:
        made = Tokenizer.from_buffer(content)
    except ValueError as error:
        raise SettingsError(
            "the file is no tokenizer that the library `tokenizers` reads",
            field="tokenizer",
            file=str(path),
            hint="Name the tokenizer.json that lies beside a model.",
        ) from error
    if not made.get_vocab_size():
        raise SettingsError("the tokenizer has no vocabulary", field="tokenizer", file=str(path))
    # What a model may be fed at most, or how short texts are filled up, is not how long they are.
    made.no_truncation()
    made.no_padding()
    made.encode_special_tokens = True  # as text, that is
    return TokenizerFile(f"{path.name}@{sha256[:12]}", path, sha256, made)


def _read(path: Path) -> bytes:
    wrong = "there is no such file" if not path.exists() else "it is not a regular file"
    reason: OSError | None = None
    if path.is_file():
        try:
            return path.read_bytes()
        except OSError as error:
            wrong, reason = (error.strerror or "input/output error").lower(), error
    raise SettingsError(
        f"cannot read the tokenizer: {wrong}",
        field="tokenizer",
        file=str(path),
        hint="Name the tokenizer.json itself, and check its permissions.",
    ) from reason
