"""A digest of code: of modules and all that they import, but of installed libraries the versions.

What a cached part was made by is found by following imports, not by a list that somebody keeps: a
module that is forgotten would serve stale parts for a week.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

_INSTALLED = {"site-packages", "dist-packages"}


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """Digest the source of modules and of what they import, anywhere in them.

    What is imported for type checkers alone does not count. Libraries that were installed count by
    version, but for those that the modules themselves are of.
    """
    ours = {module.partition(".")[0] for module in modules}
    seen: dict[str, bytes] = {}
    libraries: set[str] = set()
    left = list(modules)
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen[name], statements = _read(name)
        for found in _imported(statements, name, ours):
            top = found.partition(".")[0]
            if top in ours or _is_plain(top):
                ours.add(top)
                left += [each for each in _with_packages(found) if each not in seen]
            elif top not in sys.stdlib_module_names:
                libraries.add(top)
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(f"{name} {len(seen[name])}\n".encode() + seen[name])
    for library in sorted(libraries):
        digest.update(f"{library} {_version(library)}\n".encode())
    return digest.hexdigest()


@cache
def package_digest(package: str) -> str:
    """Digest all source of a package: more than what is used, and quicker than finding that out."""
    spec = _spec(package)
    assert spec is not None, f"{package} is there"
    digest = hashlib.sha256()
    for home in spec.submodule_search_locations or ():
        for path in sorted(Path(home).rglob("*.py")):
            source = path.read_bytes()
            digest.update(f"{path.relative_to(home)} {len(source)}\n".encode() + source)
    return digest.hexdigest()


_Import = ast.Import | ast.ImportFrom


@cache
def _read(name: str) -> tuple[bytes, tuple[_Import, ...]]:
    """Give a module's source and what of it imports, once: most digests go the same ways."""
    source = _source(name)
    return source, tuple(_imports(ast.parse(source)))


def _source(name: str) -> bytes:
    spec = _spec(name)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return b""
    return Path(spec.origin).read_bytes()


@cache
def _spec(name: str) -> ModuleSpec | None:
    """Find a module without running any code of the packages above it."""
    above, _, _ = name.rpartition(".")
    if not above:
        try:
            return find_spec(name)
        except ValueError:  # one that was made at run time
            return None
    package = _spec(above)
    if package is None or package.submodule_search_locations is None:
        return None
    return PathFinder.find_spec(name, package.submodule_search_locations)


def _is_plain(top: str) -> bool:
    """Tell whether a module's code may change while no version does."""
    spec = None if top in sys.stdlib_module_names else _spec(top)
    if spec is None:
        return False
    places = spec.submodule_search_locations or [spec.origin or ""]
    return not any(_INSTALLED.intersection(Path(place).parts) for place in places)


def _with_packages(name: str) -> Iterator[str]:
    """Give a module and the packages above it, but for ours, whose code only names others."""
    steps = name.split(".")
    for at in range(2 if steps[0] == __name__.partition(".")[0] else 1, len(steps) + 1):
        yield ".".join(steps[:at])


def _imported(statements: Iterable[_Import], module: str, ours: set[str]) -> Iterator[str]:
    """Give the modules that a module's statements import."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            home = node.module or ""
            if node.level:
                above = module.split(".")[: -node.level]
                home = ".".join([*above, *filter(None, [home])])
            yield home
            top = home.partition(".")[0]
            for alias in node.names:
                # A name may be a module of its own.
                whole = f"{home}.{alias.name}"
                if (top in ours or _is_plain(top)) and _spec(whole):
                    yield whole


#: Where a statement holds others. None stands within an expression.
_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


def _imports(node: ast.AST) -> Iterator[_Import]:
    """Give the statements that import, wherever in some code, but for type checkers."""
    if isinstance(node, _Import):
        yield node
        return
    checked = isinstance(node, ast.If) and _is_for_type_checkers(node.test)
    for block in ("orelse",) if checked else _BLOCKS:
        for child in getattr(node, block, ()):
            yield from _imports(child)


def _is_for_type_checkers(test: ast.expr) -> bool:
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")
    return name == "TYPE_CHECKING"


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return str(getattr(sys.modules.get(library), "__version__", ""))
