"""Which modules import each other, directly or through others.

An import counts wherever it stands: at the top of a file, late inside a function, or for type
checkers only. A file with a hidden one cannot be read, tested or moved alone, either.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

Imports = Mapping[str, frozenset[str]]
"""By module: those that it imports."""


def imports_of(sources: Mapping[str, Path]) -> Imports:
    """Which module imports which among `sources`, by their dotted names.

    `import a.b.c` runs the `__init__` of a and of a.b too, so they count, but for the packages that
    the importing module is in: these run first in any case.
    """
    return {name: _imported(name, path.read_text(), sources) for name, path in sources.items()}


def _imported(name: str, text: str, known: Mapping[str, Path]) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from a import b` is of a module b, or of something in a.
            found |= {
                module if (module := f"{node.module}.{alias.name}") in known else node.module
                for alias in node.names
            }
    for module in list(found):
        while "." in module:
            module = module.rpartition(".")[0]
            found.add(module)
    return frozenset(
        module for module in found & known.keys() if module != name and f"{module}." not in name
    )


def circles(imports: Imports) -> list[frozenset[str]]:
    """Every set of modules that reach each other (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[frozenset[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        path.append(module)
        for other in sorted(imports[module]):
            if other not in order:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in path:
                lowest[module] = min(lowest[module], order[other])
        if lowest[module] == order[module]:
            start = path.index(module)
            if len(path) - start > 1:
                found.append(frozenset(path[start:]))
            del path[start:]

    for module in sorted(imports):
        if module not in order:
            visit(module)
    return found


def new_ones(
    found: Iterable[frozenset[str]], known: Iterable[frozenset[str]]
) -> list[frozenset[str]]:
    """Circles that are not part of a known one."""
    return [circle for circle in found if not any(circle <= each for each in known)]
