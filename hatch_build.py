"""What the package's metadata takes from its code: a command for every training format."""

from __future__ import annotations

import sys
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Commands(MetadataHookInterface):
    """Adds the console scripts, of which the registry of formats knows most."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Say which commands an installation has, and what each calls."""
        sys.path.insert(0, self.root)
        from mindcorpus.formats.registry import ALL, FORMATS

        main = "mindcorpus.cli.main"
        names = [*FORMATS, f"{ALL}-formats"]
        metadata["scripts"] = {
            "mindcorpus": f"{main}:main",
            "merge-datasets": f"{main}:merge_datasets",
            **{f"prepare-{name}": f"{main}:prepare_shortcut" for name in names},
        }
