"""The documentation as a site: no page is forgotten, and what pages tell people to type exists.

`.ci/docs` builds it strictly; this needs nothing but the files.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from raftka.commands import COMMANDS

ROOT = Path(__file__).parent.parent
NOT_OURS = {"kafka-python"}
"""A client."""
PAGES = sorted((ROOT / "docs").glob("*.md"))
FOLDERS = (
    "model|storage|kraft|net|broker|client|tracing|simulations|lessons|web|raftka|tests|benchmarks"
    "|bin|docker|docs"
)
ROOMS = "machines|observers|checkers|load|faults|aftermath|runs|scenarios|story|sessions|wasm"
"""Rooms of simulations/, which pages about it name alone."""


def test_every_page_has_its_place_in_the_site() -> None:
    nav = re.findall(r": ([a-z-]+[.]md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(nav) == [page.name for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
    outside = [link for link in links if link.startswith("../")]
    assert outside == [], "a site has nothing outside of docs/"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_on_pages_exist(page: Path) -> None:
    text = page.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    code = "\n".join([*blocks, *re.findall(r"`[^`\n]+`", text)])
    words = set(re.findall(r"^(?:[$] )?`?raftka ([a-z][a-z-]+)", code, re.MULTILINE))
    assert words - COMMANDS.keys() == set()
    scripts = set(re.findall(r"(?<![/\w])(kafka-[a-z-]+)(?=[ `.])", code)) - NOT_OURS
    there = {script.name.removesuffix(".sh") for script in (ROOT / "bin").glob("kafka-*")}
    assert scripts - there == set()


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "ARCHITECTURE.md"], ids=lambda page: page.stem
)
def test_files_and_modules_on_pages_exist(page: Path) -> None:
    text = page.read_text()
    paths = set(re.findall(rf"(?<![\w/.<~-])((?:{FOLDERS})/[\w./-]*\w/?)", text))
    rooms = re.findall(rf"(?<![\w/.<~-])((?:{ROOMS})/\w+[.]py)", text)
    paths |= {f"simulations/{path}" for path in rooms}
    modules = re.findall(r"python -m (?:raftka[.])?((?:\w+[.])*\w+)", text)
    ours = {each.replace(".", "/") for each in modules if re.match(FOLDERS, each)}
    missing = [path for path in paths | ours if not (ROOT / path).exists()]
    assert [path for path in missing if not (ROOT / f"{path}.py").exists()] == []


def test_the_site_can_be_built_from_a_source_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    distributed = project["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    assert {"mkdocs.yml", ".ci", "docs"} <= set(distributed)
    assert [name for name in distributed if not (ROOT / name).exists()] == []
