"""Finds modules that import each other, directly or through others.

An import counts wherever it stands: at the top of a file, late inside a function, or for type
checkers only. A file with a hidden one cannot be read, tested or moved alone, either.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Imports = Mapping[str, frozenset[str]]
"""By module: those that it imports."""


class Import(NamedTuple):
    """One import of a file: `import module`, or `from module import names`."""

    module: str
    names: tuple[str, ...] = ()


def imports_in(nodes: Iterable[ast.AST]) -> Sequence[Import]:
    """The imports among the nodes of a file, wherever they stand."""
    found: list[Import] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [Import(alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(Import(node.module, tuple(alias.name for alias in node.names)))
    return found


def imports_of(sources: Mapping[str, Sequence[Import]]) -> Imports:
    """The imports among `sources`, by their dotted names. `import a.b.c` runs the `__init__` of a
    and of a.b, too, so they count, except for packages of the importing module: these run first in
    any case.
    """
    return {name: _imported(name, imports, sources) for name, imports in sources.items()}


def _imported(
    name: str, imports: Sequence[Import], known: Mapping[str, Sequence[Import]]
) -> frozenset[str]:
    found: set[str] = set()
    for each in imports:
        if not each.names:
            found.add(each.module)
        # `from a import b` imports a module b, or a name in a.
        for imported in each.names:
            module = f"{each.module}.{imported}"
            found.add(module if module in known else each.module)
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
