"""Merge each of some files for itself, in a process of its own that may take only so much memory.

`python merge_each.py CATALOG FOLDER FILE …`: for each file a line of JSON with what became of it:
the command's exit code, or minus the signal that ended it, its memory, and what `verify` said.
The processes are forked of this one, which has all code loaded: as a merge's own workers are.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from importlib import import_module
from pathlib import Path

#: What a merge and `verify` load, loaded once for all.
LOADED = (
    "mindcorpus.cli.main",
    "mindcorpus.cli.local_jobs",
    "mindcorpus.cli.progress_display",
    "mindcorpus.cli.stats",
    "mindcorpus.merging.merge",
    "mindcorpus.preparing.prepare",
    "mindcorpus.verify",
    "pandas",
    "pyarrow.compute",
    "pyarrow.parquet",
)
#: As docker-compose.yml has it for a job's processes.
MEMORY = 3072 << 20
#: Longer than this no file of kilobytes may hold a process, in seconds of its own time.
SECONDS = 60


def _run(words: list[str], log: Path) -> tuple[int, int]:
    """Run a command in a child; give its exit code, or minus its signal, and its memory."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.argv = ["mindcorpus", *words]
        try:
            import_module(LOADED[0]).main()
        except SystemExit as ended:
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        finally:
            os._exit(99)
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), used.ru_maxrss << 10


def main() -> None:
    """Merge the files that are named."""
    catalog, folder = sys.argv[1:3]
    for module in LOADED:
        import_module(module)
    for number, name in enumerate(sys.argv[3:]):
        data, log = Path(folder, f"{number:04d}"), Path(folder, f"{number:04d}.log")
        where = ["--data-dir", str(data)]
        merge = ["merge", *where, "--catalog", catalog, "--source", "own", "--path", f"own={name}"]
        # Alternately in the caller's own process and in a pool.
        code, memory = _run([*merge, "--workers", str(1 + number % 2)], log)
        verified = _run(["verify", *where], log)[0] if code == 0 else None
        told = {"name": name, "code": code, "memory": memory, "verified": verified}
        print(json.dumps({**told, "data": str(data), "log": str(log)}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
