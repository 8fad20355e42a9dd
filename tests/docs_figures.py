"""`make docs-figures`: what the pages print of the sample, written anew from the sample itself.

The examples are run, and what they print is put where they say what they print; the tables of the
sample's README are made of a merge. Prints the pages that changed.
"""

from __future__ import annotations

import csv
import functools
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # as pytest has it

from command_line import environment  # noqa: E402 - found by the path set above
from documents import blocks, read  # noqa: E402
from sample_numbers import HEADING, README, counted  # noqa: E402

from mindcorpus.job_requests import MergeRequest, PrepareRequest  # noqa: E402
from mindcorpus.merging.merge import merge  # noqa: E402
from mindcorpus.preparing.prepare import prepare  # noqa: E402
from mindcorpus.settings import Settings  # noqa: E402

SAMPLE = ROOT / "mindcorpus" / "sample"
#: An example tells what it prints on lines that begin like this.
_PRINTED = re.compile(r"^( *# -> ).*$", re.MULTILINE)
_API = "docs/python-api.md"


def rewritten(page: str) -> str:
    """Give the text of a page, as it must be."""
    return PAGES[page](read(page))


@functools.cache
def _sample() -> tuple[dict[str, Any], int]:
    """Merge the sample and prepare it; give the manifest, and how many rows a format has."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), workers=1)
        merged = merge(MergeRequest(sample=True), settings)
        records = json.loads(merged.json_path.read_text("utf-8"))
        answered = Counter(record["source"] for record in records if record["response"])
        made = prepare(PrepareRequest(), settings)
    (rows,) = {result.rows for result in made.values()}
    assert rows == answered.total()
    for entry in merged.manifest["sources"]:
        entry["answered"] = answered[entry["name"]]
    return merged.manifest, rows


# The examples


def _with_what_examples_print(text: str) -> str:
    """Run a page's examples, one after another as one script."""
    examples = blocks(text, "python")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(examples)],
            cwd=folder,
            env=environment(HF_HUB_OFFLINE="1"),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"the examples fail:\n{done.stderr}")
    printed = done.stdout.splitlines()
    places = sum(len(_PRINTED.findall(code)) for code in examples)
    if places != len(printed):
        raise RuntimeError(f"the examples print {len(printed)} lines, the page tells {places}")
    lines = iter(printed)
    for code in examples:
        new = _PRINTED.sub(lambda place: place[1] + next(lines), code)
        text = text.replace(code, new, 1)
    return text


def _api(text: str) -> str:
    """Also of the example that needs a service, which tests run elsewhere."""
    manifest, rows = _sample()
    places = {r"(# -> succeeded )\d+": manifest["rows"], r'(\["rows"\]\)\n +# -> )\d+': rows}
    [example] = blocks(text, "py")
    new = example
    for place, number in places.items():
        new, found = re.subn(place, rf"\g<1>{number}", new)
        if found != 1:
            raise RuntimeError(f"{_API} has {found} places like {place!r}")
    return _with_what_examples_print(text.replace(example, new))


# The tables of the sample's README


def _sample_page(text: str) -> str:
    head, mark, rest = text.partition(f"## {HEADING}\n")
    assert mark
    lines = []
    for line in rest.split("\n"):
        named = re.match(r"\| `([^`]+)` \| \d+ \|(.*)", line)
        if named and (SAMPLE / named[1]).is_file():
            lines.append(f"| `{named[1]}` | {_rows_of(SAMPLE / named[1])} |{named[2]}")
        elif not re.match(r"\| `[^`]+` \| \d+ \| \d+ ", line):
            lines.append(line)
            if line.startswith("|---") and lines[-2].startswith("| source "):
                lines += [_outcome(entry) for entry in _sample()[0]["sources"]]
    return head + mark + "\n".join(lines)


def _rows_of(path: Path) -> int:
    """Count the rows of a file, by the standard library."""
    text = path.read_bytes().decode()
    if path.suffix == ".csv":
        csv.field_size_limit(1 << 30)
        return sum(1 for _ in csv.DictReader(text.splitlines(keepends=True)))
    return len(json.loads(text)) if text.startswith("[") else text.rstrip("\n").count("\n") + 1


def _outcome(entry: dict[str, Any]) -> str:
    cells = [f"`{entry['name']}`", *(str(entry[key]) for key in ("read", "kept", "answered"))]
    cells += [counted(entry[key]) for key in ("dropped", "duplicates")]
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells)


PAGES: dict[str, Callable[[str], str]] = {
    "README.md": _with_what_examples_print,
    _API: _api,
    README: _sample_page,
}


def main() -> None:
    """Write the pages whose figures have changed."""
    for page in PAGES:
        new = rewritten(page)
        if new != read(page):
            (ROOT / page).write_text(new, "utf-8")
            sys.stdout.write(f"{page}\n")


if __name__ == "__main__":
    main()
