"""What there is of each kind, in its order: tests that go through all of them ask here."""

from __future__ import annotations

from mindcorpus.sources.catalog import load_catalog

#: The training formats.
FORMATS = ("openai", "huggingface")
#: The sources of the project's own catalogue.
SOURCES = load_catalog().names
