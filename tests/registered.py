"""What there is of each kind, in its order: tests that go through all of them ask here."""

from __future__ import annotations

from mindcorpus.formats.registry import ALL, names_of
from mindcorpus.sources.catalog import load_catalog

#: The training formats that the guide promises: those of `all`.
FORMATS = names_of(ALL)
#: The sources of the project's own catalogue.
SOURCES = load_catalog().names
