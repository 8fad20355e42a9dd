"""An inspection in a process of its own, for a server: a line of JSON in, a line of JSON out.

It ends with its parent, and takes no more memory than it is told. What it says is what was found,
or the error that was met.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from mindcorpus.errors import MindcorpusError
from mindcorpus.execution import own_process
from mindcorpus.execution.parent_death import end_with_parent
from mindcorpus.inspection.place import Place
from mindcorpus.privacy import keep_umask_private
from mindcorpus.settings import Settings
from mindcorpus.sources.files import FetchedFile
from mindcorpus.sources.folders import NotRead
from mindcorpus.system_calls import bound_memory

#: What one that is no table of rows may be unpacked to.
_FILE_BYTES = 1024**3


def answered(question: dict[str, Any]) -> dict[str, Any]:
    """Inspect what is asked for; give `found` and `source`, or `error`."""
    from mindcorpus.inspection.inspecting import inspect_source  # late: it loads numpy

    place = Place(
        path=None if question["path"] is None else Path(question["path"]),
        repository=question["repository"],
        beside=None if question["beside"] is None else Path(question["beside"]),
        files=tuple(
            FetchedFile(name, Path(local), size) for name, local, size in question["files"]
        ),
        not_read=tuple(NotRead(*each) for each in question["not_read"]),
        split=question["split"],
        splits=tuple(question["splits"]),
    )
    settings = Settings.model_validate(question["settings"])
    try:
        found = inspect_source(place, settings, **question["choices"])
    except MindcorpusError as error:
        return {"error": error.as_dict()}
    source = found.source
    return {
        "found": found.as_dict(cut=True),
        "source": None if source is None else source.model_dump(mode="json", exclude_defaults=True),
    }


def main() -> None:
    """Answer the question on standard input."""
    own_process.begin()
    end_with_parent()
    keep_umask_private()
    out = os.fdopen(os.dup(1), "w")
    # What a library prints must not be taken for our words.
    os.dup2(2, 1)
    question = json.loads(sys.stdin.readline())
    bound_memory(question["memory"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    json.dump(answered(question), out)
    out.flush()
    own_process.end()


if __name__ == "__main__":
    main()
