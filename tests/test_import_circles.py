"""What finds import circles finds them however they are hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.import_circles import circles, imports_of, new_ones


def modules(folder: Path, **texts: str) -> dict[str, Path]:
    """Files with these texts; `a_b` stands for the module a.b."""
    found = {}
    for name, text in texts.items():
        path = folder / f"{name}.py"
        path.write_text(text)
        found[name.replace("_", ".")] = path
    return found


@pytest.mark.parametrize(
    "back",
    [
        "import a",
        "from a import something",
        "def late():\n    import a",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a import something",
    ],
)
def test_a_circle_is_found_wherever_the_import_stands(tmp_path: Path, back: str) -> None:
    found = modules(tmp_path, a="from b import something", b=back, c="import a")
    assert circles(imports_of(found)) == [frozenset({"a", "b"})]


def test_a_chain_is_no_circle(tmp_path: Path) -> None:
    found = modules(tmp_path, a="import b\nimport os", b="import c", c="")
    imports = imports_of(found)
    assert imports["a"] == {"b"}
    assert circles(imports) == []


def test_a_module_of_another_package_brings_that_package_with_it(tmp_path: Path) -> None:
    found = modules(tmp_path, p="from p.x import y", p_x="import q", q="from p.z import w", p_z="")
    assert circles(imports_of(found)) == [frozenset({"p", "p.x", "q"})]


def test_a_module_does_not_import_the_package_that_it_is_in(tmp_path: Path) -> None:
    found = modules(tmp_path, p="from p.x import y", p_x="from p.z import w", p_z="")
    assert circles(imports_of(found)) == []


def test_part_of_a_known_circle_is_not_new() -> None:
    known = [frozenset({"a", "b", "c"})]
    assert new_ones([frozenset({"a", "b"})], known) == []
    assert new_ones([frozenset({"a", "d"})], known) == [frozenset({"a", "d"})]
