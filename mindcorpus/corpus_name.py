"""What a corpus is called. One that nobody named is the default one."""

from __future__ import annotations

import re

DEFAULT_CORPUS = "default"
#: Matches a corpus' name as a whole.
CORPUS_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
