"""A digest of code: of modules, and of all that they import of our own, and of libraries' versions.

What a cached part was made by is found by following imports, not by a list that somebody keeps: a
module that is forgotten would serve stale parts for a week.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """Digest the source of modules and of what they import, anywhere in them, of their packages.

    What is imported for type checkers alone does not count. Other libraries count by version.
    """
    ours = {module.partition(".")[0] for module in modules}
    seen: dict[str, bytes] = {}
    libraries: set[str] = set()
    left = list(modules)
    while left:
        name = left.pop()
        if name in seen:
            continue
        source = _source(name)
        seen[name] = source
        for found in _imported(ast.parse(source), name, ours):
            top = found.partition(".")[0]
            if top in ours:
                left += [each for each in _with_packages(found) if each not in seen]
            elif top not in sys.stdlib_module_names:
                libraries.add(top)
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(f"{name} {len(seen[name])}\n".encode() + seen[name])
    for library in sorted(libraries):
        digest.update(f"{library} {_version(library)}\n".encode())
    return digest.hexdigest()


def _source(name: str) -> bytes:
    spec = find_spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return b""
    return Path(spec.origin).read_bytes()


def _with_packages(name: str) -> Iterator[str]:
    """Give a module and the packages above it, but for ours, whose code only names others."""
    steps = name.split(".")
    for at in range(2 if steps[0] == __name__.partition(".")[0] else 1, len(steps) + 1):
        yield ".".join(steps[:at])


def _imported(tree: ast.AST, module: str, ours: set[str]) -> Iterator[str]:
    """Give the modules that some code imports, wherever in it, but for type checkers."""
    for node in _nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level:
                above = module.split(".")[: -node.level]
                home = ".".join([*above, *filter(None, [home])])
            yield home
            for alias in node.names:
                # A name may be a module of its own.
                whole = f"{home}.{alias.name}"
                if home.partition(".")[0] in ours and _is_module(whole):
                    yield whole


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and _is_for_type_checkers(child.test):
            children: Iterable[ast.AST] = child.orelse
        else:
            children = (child,)
        for each in children:
            yield each
            yield from _nodes(each)


def _is_for_type_checkers(test: ast.expr) -> bool:
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")
    return name == "TYPE_CHECKING"


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, AttributeError, ValueError):
        return False


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return str(getattr(sys.modules.get(library), "__version__", ""))
