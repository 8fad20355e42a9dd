"""The consumers whose own loaders are tried, their exact versions, and an environment for each.

An environment is made once, with uv, under `build/consumers`, and anew when its line here changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOME = ROOT / "build" / "consumers"
#: Formats whose rows a croissant.json describes: no Arrow files, and no one JSON array.
_DESCRIBED = (
    *("openai", "chat", "openai-preference", "trl-dpo", "trl-kto", "llama-factory", "axolotl"),
    *("ms-swift", "sharegpt", "mlx", "gemini", "bedrock", "argilla"),
)
#: What stands in for the corpus itself among the formats.
CORPUS = "corpus"


@dataclass(frozen=True)
class Consumer:
    """Somebody who reads published folders, and what of them."""

    name: str
    reader: str
    """The script that reads, run in its environment."""
    formats: tuple[str, ...]
    packages: tuple[str, ...]
    """What is installed with all that it needs."""
    alone: tuple[str, ...] = ()
    """What is installed without what it asks for, most of which only training needs."""
    python: str = "3.11"
    """The least Python that it runs with."""
    refuses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a format: what rows may hold that it does not take, in the words of `Corpus.holds`.

    It is given files without these; docs/formats.md names them.
    """
    loses: tuple[str, ...] = ()
    """What rows may hold, in the same words, that it does not give back; others are compared."""


CONSUMERS = {
    consumer.name: consumer
    for consumer in (
        Consumer(
            "datasets-4",
            "by_datasets",
            (CORPUS, "*"),
            ("datasets==4.0.0",),
            # Keys that stand in one part alone are read since 4.7, which has a type for JSON.
            refuses=dict.fromkeys(("chat", "axolotl", "mlx"), ("tools", "names", "weights")),
        ),
        Consumer("datasets-5", "by_datasets", (CORPUS, "*"), ("datasets==5.2.0",)),
        Consumer(
            "llama-factory",
            "by_llama_factory",
            ("llama-factory", "sharegpt"),
            (
                "datasets==4.0.0",
                "transformers==5.6.0",
                "jinja2==3.1.6",
                "omegaconf==2.3.0",
                "pillow==12.0.0",
                "psutil==7.1.3",
            ),
            alone=("llamafactory==0.9.5",),
        ),
        Consumer(
            "ms-swift",
            "by_ms_swift",
            ("ms-swift",),
            ("datasets==4.8.4", "modelscope==1.32.0", "psutil==7.1.3"),
            alone=("ms-swift==4.6.0",),
        ),
        Consumer(
            "trl",
            "by_trl",
            ("chat", "trl-dpo", "trl-kto"),
            ("datasets==5.0.1", "transformers==5.20.1", "jinja2==3.1.6", "psutil==7.1.3"),
            alone=("trl==1.16.0",),
        ),
        Consumer(
            "axolotl",
            "by_axolotl",
            ("axolotl",),
            (
                "datasets==5.0.1",
                "transformers==5.20.1",
                "jinja2==3.1.6",
                "psutil==7.1.3",
                "pydantic==2.13.5",
                "addict==2.4.0",
                "colorama==0.4.6",
                "fire==0.7.1",
                "pillow==12.0.0",
                "python-dotenv==1.0.1",
            ),
            alone=("axolotl==0.21.0",),
            python="3.12",
        ),
        Consumer(
            "unsloth",
            "by_unsloth",
            ("chat", "sharegpt"),
            ("datasets==4.8.4",),
            ("unsloth_zoo==2026.10.9",),
        ),
        Consumer(
            "torchtune",
            "by_torchtune",
            ("chat",),
            ("numpy==2.3.5", "typing-extensions==4.15.0"),
            ("torchtune==0.6.1",),
            refuses={"chat": ("tools",)},
        ),
        Consumer(
            "mlx-lm",
            "by_mlx_lm",
            ("mlx",),
            ("transformers==5.20.1", "jinja2==3.1.6"),
            ("mlx-lm==0.32.2",),
        ),
        Consumer(
            "mistral-common",
            "by_mistral_common",
            ("openai", "chat"),
            ("mistral-common==1.13.1",),
            refuses=dict.fromkeys(("openai", "chat"), ("developer", "names")),
        ),
        Consumer(
            "together", "by_together", ("openai", "chat", "openai-preference"), ("together==3.1.1",)
        ),
        Consumer(
            "polars", "by_polars", (CORPUS, "openai", "chat", "sharegpt"), ("polars==1.35.2",)
        ),
        Consumer("duckdb", "by_duckdb", (CORPUS, "openai", "chat", "sharegpt"), ("duckdb==1.4.2",)),
        Consumer("argilla", "by_argilla", ("argilla",), ("argilla==2.8.0", "requests==2.32.5")),
        Consumer(
            "label-studio", "by_label_studio", ("label-studio",), ("label-studio-sdk==2.1.2",)
        ),
        Consumer(
            "mlcroissant",
            "by_mlcroissant",
            (CORPUS, *_DESCRIBED),
            ("mlcroissant[parquet]==1.1.1",),
            # It reads no deeper than the turns of a chat.
            loses=("tools",),
        ),
    )
}


def asked_for() -> list[Consumer]:
    """Give the consumers that `MINDCORPUS_CONSUMERS` names, or all; raises for an unknown one."""
    names = os.environ.get("MINDCORPUS_CONSUMERS", "").split() or list(CONSUMERS)
    if unknown := sorted({*names} - {*CONSUMERS}):
        message = f"no such consumer: {', '.join(unknown)}; there are {', '.join(CONSUMERS)}"
        raise ValueError(message)
    return [CONSUMERS[name] for name in names]


def python_of(consumer: Consumer) -> Path | None:
    """Make its environment if it is not there; give its Python, None where none is new enough."""
    base = _base_python(consumer.python)
    if base is None:
        return None
    wanted = json.dumps([consumer.packages, consumer.alone, base])
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    folder, stamp = HOME / consumer.name, HOME / consumer.name / "made-of"
    python = folder / "bin" / "python"
    if stamp.is_file() and stamp.read_text() == digest:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--python", base, str(folder))
    _uv("pip", "install", "--python", str(python), *consumer.packages)
    if consumer.alone:
        _uv("pip", "install", "--python", str(python), "--no-deps", *consumer.alone)
    stamp.write_text(digest)
    return python


def read(consumer: Consumer, folders: Mapping[str, Path], scratch: Path) -> dict[str, Any]:
    """Have it read folders; gives {format: {file: rows}}. Raises with what it printed."""
    python = python_of(consumer)
    assert python is not None
    told = scratch / "told.json"
    script = str(HERE / f"{consumer.reader}.py")
    given = [f"{name}={folder}" for name, folder in folders.items()]
    run = subprocess.run(
        [str(python), script, str(told), *given],
        env=_environment(scratch),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-6000:]
    found: dict[str, Any] = json.loads(told.read_text("utf-8"))
    return found


def _environment(scratch: Path) -> dict[str, str]:
    """Give the variables that a reader sees: no network, nothing of the user's or of the tests'."""
    keep = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return {
        **keep,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "HF_HOME": str(scratch / "hf"),
        "HF_HUB_OFFLINE": "1",
        "MODELSCOPE_CACHE": str(scratch / "modelscope"),
        "AXOLOTL_DO_NOT_TRACK": "1",
        "PYTHONUTF8": "1",
    }


def _base_python(least: str) -> str | None:
    """Give a Python that is new enough: this one, or one that is found."""
    numbers = tuple(map(int, least.split(".")))
    if sys.version_info[:2] >= numbers:
        return sys.executable
    versions = [f"3.{minor}" for minor in range(numbers[1], numbers[1] + 3)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places = [Path(found) for each in versions if (found := shutil.which(f"python{each}"))]
    places += [python for each in versions for python in pyenv.glob(f"{each}.*/bin/python")]
    for place in places:
        asked = [str(place), "-c", "print()"]
        # A shim of pyenv is there for a version that is not chosen, and fails.
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return str(place)
    return None


def _uv(*arguments: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    uv = shutil.which("uv", path=path)
    assert uv is not None, "uv is needed to make the consumers' environments: make .venv/test"
    run = subprocess.run([uv, "--quiet", *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
