"""The limit: two processes that read all input bytes and write as many bytes as mindcorpus wrote.

No parsing, no hashing: 512 KiB pieces through one reused buffer a process, as many files as the
original, an fsync at the end of each: `python -m bench.plain_copy IN OUT --like FOLDER`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from pathlib import Path

_PIECE = 512 * 1024
_PROCESSES = 2


def sizes(folder: Path) -> dict[Path, int]:
    """Give the size of every file under a folder by its path in it; symbolic links do not count."""
    return {
        path.relative_to(folder): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def _copy(share: int, corpus: Path, out: Path, like: Path) -> None:
    """Read this process' share of each input, then write its share of each output."""
    buffer = memoryview(bytearray(_PIECE))
    for name, size in sizes(corpus).items():
        descriptor = os.open(corpus / name, os.O_RDONLY)
        for start, length in _pieces(share, size):
            os.preadv(descriptor, [buffer[:length]], start)
        os.close(descriptor)
    for name, size in sizes(like).items():
        descriptor = os.open(out / name, os.O_WRONLY | os.O_CREAT, 0o644)
        for start, length in _pieces(share, size):
            os.pwrite(descriptor, buffer[:length], start)
        os.fsync(descriptor)
        os.close(descriptor)


def _pieces(share: int, size: int) -> list[tuple[int, int]]:
    start, end = size * share // _PROCESSES, size * (share + 1) // _PROCESSES
    return [(at, min(_PIECE, end - at)) for at in range(start, end, _PIECE)]


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m bench.plain_copy", description=__doc__)
    parser.add_argument("corpus", type=Path, metavar="IN")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--like", type=Path, required=True, help="an output folder of mindcorpus")
    given = parser.parse_args()
    for name in sizes(given.like):
        (given.out / name).parent.mkdir(parents=True, exist_ok=True)
    others = [
        multiprocessing.Process(target=_copy, args=(share, given.corpus, given.out, given.like))
        for share in range(1, _PROCESSES)
    ]
    for other in others:
        other.start()
    _copy(0, given.corpus, given.out, given.like)
    for other in others:
        other.join()
    if any(other.exitcode for other in others):
        parser.exit(1, "a copying process failed\n")


if __name__ == "__main__":
    main()
