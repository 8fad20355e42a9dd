"""Broken data files by seed: good ones of each format, and what happens to files; and bombs."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FORMATS = ("json", "jsonl", "csv", "parquet")
ROWS = 40


def _rows(random_: random.Random) -> list[dict[str, Any]]:
    words = [
        "kalm",
        "«hé»",
        "\U0001f602",
        "線",
        'say "no"',
        "a,b",
        "x\r\ny",
        "",
        " ",
        "\u2028",
        "0",
    ]
    texts = [" ".join(random_.choices(words, k=random_.randint(1, 30))) for _ in range(2 * ROWS)]
    return [
        {"q": f"{n % 30} {texts[n]}", "a": texts[ROWS + n], "tags": [str(n % 3)] * (n % 4)}
        for n in range(ROWS)
    ]


def _good(format_: str, random_: random.Random) -> bytes:
    rows = _rows(random_)
    if format_ == "json":
        return json.dumps(rows, ensure_ascii=random_.random() < 0.5, indent=1).encode()
    if format_ == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    if format_ == "csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, ["q", "a"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
    buffer = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(rows),
        buffer,
        row_group_size=random_.choice([7, ROWS]),
        compression=random_.choice(["none", "snappy", "gzip", "zstd", "lz4"]),
        use_dictionary=random_.random() < 0.5,
        data_page_version=random_.choice(["1.0", "2.0"]),
        data_page_size=random_.choice([64, 1 << 20]),
        column_encoding=None,
        write_page_checksum=random_.random() < 0.2,
        store_schema=random_.random() < 0.5,
    )
    return buffer.getvalue()


def _cut(data: bytes, random_: random.Random) -> bytes:
    return data[: random_.randint(1, len(data) - 1)]


def _head_lost(data: bytes, random_: random.Random) -> bytes:
    return data[random_.randint(1, len(data) - 1) :]


def _flipped(data: bytes, random_: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random_.choice([1, 2, 8, 60])):
        changed[random_.randrange(len(changed))] ^= 1 << random_.randrange(8)
    return bytes(changed)


def _tail_flipped(data: bytes, random_: random.Random) -> bytes:
    """Change what a footer says: lengths, offsets, counts."""
    changed = bytearray(data)
    for _ in range(random_.choice([1, 2, 5])):
        at = random_.randrange(max(0, len(changed) - 600), len(changed))
        changed[at] = random_.choice([0, 1, 0x7F, 0x80, 0xFF, random_.randrange(256)])
    return bytes(changed)


def _doubled(data: bytes, random_: random.Random) -> bytes:
    start = random_.randrange(len(data))
    stop = min(len(data), start + random_.randint(1, 2000))
    at = random_.choice([stop, random_.randrange(len(data))])
    return data[:at] + data[start:stop] * random_.choice([1, 3]) + data[at:]


def _hole(data: bytes, random_: random.Random) -> bytes:
    start = random_.randrange(len(data))
    length = random_.randint(1, 500)
    filling = random_.choice([b"", bytes(length), b"\xff" * length, b'"' * length, b"\n" * length])
    return data[:start] + filling + data[start + length :]


def _swapped(data: bytes, random_: random.Random) -> bytes:
    one, two, three = sorted(random_.randrange(len(data)) for _ in range(3))
    return data[:one] + data[two:three] + data[one:two] + data[three:]


def _encoded(data: bytes, random_: random.Random) -> bytes:
    text = data.decode("latin-1")
    encoding = random_.choice(["utf-16", "utf-16-le", "utf-32", "utf-8", "utf-7", "cp037"])
    return text.encode(encoding)


def _marked(data: bytes, random_: random.Random) -> bytes:
    mark = random_.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf" * 2, b"\0"])
    at = random_.choice([0, random_.randrange(len(data))])
    return data[:at] + mark + data[at:]


def _nul(data: bytes, random_: random.Random) -> bytes:
    return data.replace(random_.choice([b"e", b" ", b"a", b"1"]), b"\0", random_.randint(1, 50))


def _nested(data: bytes, random_: random.Random) -> bytes:
    depth = random_.choice([100, 900, 1100, 100_000])
    opened, closed = random_.choice([(b"[", b"]"), (b'{"q":', b"}"), (b'"', b'"'), (b"(", b")")])
    middle = opened * depth + random_.choice([b"1", b""]) + closed * random_.choice([depth, 0])
    at = random_.choice([0, data.find(b"\n") + 1, random_.randrange(len(data))])
    return data[:at] + middle + data[at:]


def _odd_value(data: bytes, random_: random.Random) -> bytes:
    odd = random_.choice(
        [b"9" * 5000, b"-" + b"1" * 400, b"1e999999", b"NaN", b'"\\ud800"', b"null", b"[]", b"{}"]
    )
    pieces = data.split(b'"')
    at = random_.randrange(len(pieces))
    return b'"'.join([*pieces[:at], odd, *pieces[at + 1 :]])


def _endless(data: bytes, random_: random.Random) -> bytes:
    what = random_.choice([b'"', b"x", b",", b"\xf0\x9f\x98\x82", b'"",', b"\\"])
    return data + what * 200_000


_HARMS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _cut,
    _head_lost,
    _flipped,
    _tail_flipped,
    _doubled,
    _hole,
    _swapped,
    _encoded,
    _marked,
    _nul,
    _nested,
    _odd_value,
    _endless,
)


def write_broken(folder: Path, count: int, seed: int) -> list[Path]:
    """Write so many broken files, the same ones for the same seed; some bear another's name."""
    random_ = random.Random(seed)
    paths = []
    for number in range(count):
        format_ = FORMATS[number % len(FORMATS)]
        data = _good(format_, random_)
        # Of Parquet, what its footer says is what matters.
        harms = (*_HARMS, *[_tail_flipped, _flipped] * 6) if format_ == "parquet" else _HARMS
        for harm in random_.choices(harms, k=random_.choice([1, 1, 1, 2])):
            data = harm(data, random_) or b"x"
        named = random_.choice(FORMATS) if random_.random() < 0.05 else format_
        path = folder / f"{number:04d}.{named}"
        path.write_bytes(data)
        paths.append(path)
    return paths


def _one_text_often(text: str, times: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))


def write_bombs(folder: Path) -> list[Path]:
    """Write small files that stand for gigabytes."""
    often = _one_text_often("x" * 1_000_000, 100_000)
    short = pa.array(["y"] * 100_000)
    many = pa.array([0, 100_000], pa.int32())
    long = ["x" * 120_000_000] * 3
    tables = {
        "a-text-often": pa.table({"q": often, "a": short}),
        "a-text-often-in-a-row": pa.table({"q": ["z"], "a": pa.ListArray.from_arrays(many, often)}),
        "long-texts": pa.table({"q": long, "a": ["y"] * 3}),
        "rows-of-nothing": pa.table({"q": pa.nulls(100_000_000, pa.string())}),
    }
    paths = []
    for name, table in tables.items():
        for kept in (False, True):
            path = folder / f"{name}-{'as-coded' if kept else 'plain'}.parquet"
            coded = name.startswith("a-text")
            if kept and not coded:
                continue
            pq.write_table(
                table,
                path,
                compression="zstd",
                use_dictionary=coded,
                store_schema=kept,
                row_group_size=200_000_000,
            )
            paths.append(path)
    return paths
