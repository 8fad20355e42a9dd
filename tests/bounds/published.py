"""What an environment publishes of the sample, as JSON on standard output: run in its own Python.

    python published.py FOLDER   merges and prepares into FOLDER/datasets

Of every file its sha256; of Parquet the sha256 of what it holds as well, since each version of
pyarrow writes the same rows in bytes of its own; of Croissant the sha256 of what it says beside
the sums and sizes of files.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mindcorpus.formats.registry import FORMATS

#: A build's folder is named by its manifest's sum.
_BUILD = re.compile(r"-[0-9a-f]{16}/")
_COMMANDS = (("merge", "--sample"), *(("prepare", name) for name in FORMATS))


def rows_of(path: Path) -> str:
    """Compute the sha256 of a Parquet file's schema and rows."""
    table = pq.read_table(path)
    fields = [(field.name, str(field.type), field.nullable) for field in table.schema]
    sink = hashlib.sha256(repr(fields).encode())
    for batch in table.combine_chunks().to_batches():
        sink.update(json.dumps(batch.to_pylist(), default=str).encode())
    return sink.hexdigest()


def said_of(path: Path) -> str:
    """Compute the sha256 of what a `croissant.json` says, without its files' sums and sizes."""
    said = json.loads(path.read_bytes())
    for file in said["distribution"]:
        file.pop("sha256", None)
        file.pop("contentSize", None)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def main() -> None:
    """Make everything, and say what it is."""
    home = Path(sys.argv[1])
    for command in _COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "mindcorpus.cli.main", *command],
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"mindcorpus {' '.join(command)}: {done.stderr}")
    root = home / "datasets" / "artifacts"
    files = {}
    rows = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and _BUILD.search(name):
            name = _BUILD.sub("/", name)
            files[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            if path.suffix == ".parquet":
                rows[name] = rows_of(path)
            elif path.name == "croissant.json":
                rows[name] = said_of(path)
    told = {"python": sys.version.split()[0], "pyarrow": pa.__version__}
    told |= {name: version(name) for name in ("datasets", "huggingface-hub", "pandas", "numpy")}
    json.dump({"versions": told, "files": files, "rows": rows}, sys.stdout)


if __name__ == "__main__":
    main()
