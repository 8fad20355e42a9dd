"""What the package's metadata takes from its code: a command for every format, and the README.

The README's links lead to files beside it. On a package index there are none, so there they lead to
where the source with all of them is had, and say which file is meant; pictures stay behind.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"^!\[[^\]]*\]\((?!\w+:)[^)]*\)\n\n?", re.MULTILINE)
_LINK = re.compile(r"\]\((?!\w+:)([^)\s#]+)[^)\s]*\)")


class FromCode(MetadataHookInterface):
    """Adds the console scripts, most of them one a format, and the README."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Say which commands an installation has, what each calls, and what the project is."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        text = for_an_index(text, metadata["urls"]["Source"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        sys.path.insert(0, self.root)
        from mindcorpus.formats.entries import ENTRIES
        from mindcorpus.formats.registry import ALL

        main = "mindcorpus.cli.main"
        # Not the registry: it has formats of other packages, where any are installed.
        names = [*(entry.name for entry in ENTRIES), f"{ALL}-formats"]
        metadata["scripts"] = {
            "mindcorpus": f"{main}:main",
            "merge-datasets": f"{main}:merge_datasets",
            **{f"prepare-{name}": f"{main}:prepare_shortcut" for name in names},
        }


def for_an_index(text: str, source: str) -> str:
    """Give the README as it can stand alone; `source` is where the whole source is had."""
    return _LINK.sub(rf']({source} "\1 of the source")', _PICTURE.sub("", text))
