"""The search for import circles finds hidden ones, too."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import pytest

from tests.support.import_circles import Import, circles, imports_in, imports_of


def modules(**texts: str) -> dict[str, Sequence[Import]]:
    """The imports of files with these texts; `a_b` stands for the module a.b."""
    return {
        name.replace("_", "."): imports_in(ast.walk(ast.parse(text)))
        for name, text in texts.items()
    }


@pytest.mark.parametrize(
    "back",
    [
        "import a",
        "from a import something",
        "def late():\n    import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import something",
    ],
)
def test_a_circle_is_found_wherever_the_import_stands(back: str) -> None:
    found = modules(a="from b import something", b=back, c="import a")
    assert circles(imports_of(found)) == [frozenset({"a", "b"})]


def test_a_chain_is_no_circle() -> None:
    found = modules(a="import b\nimport os", b="import c", c="")
    imports = imports_of(found)
    assert imports["a"] == {"b"}
    assert circles(imports) == []


def test_a_module_of_another_package_brings_that_package_with_it() -> None:
    found = modules(p="from p.x import y", p_x="import q", q="from p.z import w", p_z="")
    assert circles(imports_of(found)) == [frozenset({"p", "p.x", "q"})]


def test_a_module_does_not_import_the_package_that_it_is_in() -> None:
    found = modules(p="from p.x import y", p_x="from p.z import w", p_z="")
    assert circles(imports_of(found)) == []
