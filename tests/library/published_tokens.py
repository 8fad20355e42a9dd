"""OpenAI's encodings as tiktoken has them, read from files that tiktoken itself checks."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping

import pytest
import tiktoken
import toktok

from mindcorpus.tokens.tokenizer import VOCABULARIES

_HOME = "https://openaipublic.blob.core.windows.net/encodings"


@pytest.fixture(scope="session")
def published(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, tiktoken.Encoding]]:
    """The encodings by the names that they have here.

    tiktoken finds what it would download in its cache, and refuses what has not the sha256 that
    it knows: so the vocabularies that we count with are those that OpenAI publishes.
    """
    cache = tmp_path_factory.mktemp("tiktoken")
    for name in VOCABULARIES.values():
        lines = (
            b"%b %d\n" % (base64.b64encode(token), rank)
            for rank, token in enumerate(toktok._encoding(name).token_byte_values())
        )
        home = f"{_HOME}/{name}.tiktoken"
        kept = cache / hashlib.sha1(home.encode()).hexdigest()
        kept.write_bytes(b"".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        yield {name: tiktoken.get_encoding(there) for name, there in VOCABULARIES.items()}
