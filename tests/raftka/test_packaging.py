"""What is installed on a user's machine: raftka, and no other top-level name."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("model", "storage", "kraft", "net", "broker", "client", "tracing", "simulations")

LEFT_OUT = re.compile(
    r"raftka/(net/protocol/(schema|generate)|broker/generate_|settings_page"
    r"|simulations/wasm/pack|lessons/.*[.]toml)"
)
"""Files that only the repository needs, and the words, which are one file in a wheel."""

PROJECT = {
    "model.py": "NAME = 'the model of the user'",
    "net/__init__.py": "NAME = 'the net of the user'",
    "client/__init__.py": "NAME = 'the client of the user'",
    "storage/__init__.py": "",
    "storage/log.py": "NAME = 'the log of the user'",
    "tests/test_orders.py": """
import client, model, net
from storage import log

def test_the_project_and_raftka_get_along(raftka_broker):
    import raftka.client.producer, raftka.model.errors, raftka.net.server, raftka.storage.log
    for module, word in ((client, 'client'), (model, 'model'), (net, 'net'), (log, 'log')):
        assert module.NAME == f'the {word} of the user'
    assert 'site-packages' in raftka.storage.log.__file__
    assert raftka_broker.controller() == 1
""",
}


def build(source: Path, out: Path, *targets: str) -> list[Path]:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(out), *targets],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return sorted(out.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tree."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "-t", "wheel")[0]


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


def test_a_wheel_names_nothing_outside_of_raftka(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        (record,) = (name for name in file.namelist() if name.endswith(".dist-info/RECORD"))
        lines = file.read(record).decode().splitlines()
    tops = {line.partition("/")[0] for line in lines}
    assert tops == {"raftka", record.partition("/")[0]}


def test_a_wheel_has_every_module_once(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", *FOLDERS, "raftka"], cwd=ROOT, capture_output=True, text=True
    )
    if tracked.returncode:
        pytest.skip("this is no git checkout")
    wanted = {
        path if path.startswith("raftka/") else f"raftka/{path}"
        for path in tracked.stdout.split()
        if (ROOT / path).is_file() and not (ROOT / path).is_symlink()
    }
    found = {name for name in names(wheel) if name.startswith("raftka/")}
    assert found >= {path for path in wanted if not LEFT_OUT.match(path)} - {
        "raftka/learn/page.html"
    }
    assert {"raftka/learn/page.html.xz", "raftka/lessons/words.json"} <= found


def test_a_wheel_is_slim(wheel: Path) -> None:
    assert wheel.stat().st_size < 1_800_000


def test_a_wheel_has_the_code_of_the_tree_line_by_line(wheel: Path) -> None:
    checked = 0
    with zipfile.ZipFile(wheel) as file:
        assert file.testzip() is None
        for name in file.namelist():
            path = ROOT / name if (ROOT / name).exists() else ROOT / name.removeprefix("raftka/")
            if not name.endswith(".py") or not path.is_file():
                continue
            here, there = path.read_text().split("\n"), file.read(name).decode().split("\n")
            assert len(here) == len(there), name
            for line, kept in zip(here, there, strict=True):
                assert kept in (line, "") or kept.strip() == "pass", f"{name}: {kept}"
            checked += 1
    assert checked > 900


SHOWN = """
import inspect
import raftka, raftka.testing, raftka.simulation, raftka.aio
from raftka.learn import export, lessons
from raftka.simulations.faults.table import FAULTS
from raftka.simulations.scenarios import NAMES
from raftka.simulations.scenarios.stage import load
assert "raftka-data" in export.page({})
assert [lessons.load(each).title()["pt"] for each in lessons.names()]
assert all(each.meaning for each in FAULTS.values()), FAULTS
assert all(load(each).__doc__ for each in NAMES), NAMES
for module in (raftka, raftka.testing, raftka.simulation, raftka.aio):
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            methods = [(each, value) for each, value in sorted(vars(thing).items())
                       if inspect.isfunction(value)]
            print(name, bool(thing.__doc__),
                  *(f"{each}:{bool(value.__doc__)}" for each, value in methods))
"""


@pytest.mark.wire
def test_what_a_wheel_shows_is_what_the_tree_shows(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
    done = subprocess.run(
        [sys.executable, "-c", f"import raftka\nassert {str(site)!r} in raftka.__file__\n{SHOWN}"],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with contextlib.redirect_stdout(io.StringIO()) as here:
        exec(SHOWN, {})
    assert done.stdout == here.getvalue()
    assert "Producer True" in done.stdout


def test_a_wheel_from_the_sdist_is_the_same(wheel: Path, tmp_path: Path) -> None:
    (sdist,) = build(ROOT, tmp_path / "sdist", "-t", "sdist")
    with tarfile.open(sdist) as file:
        file.extractall(tmp_path, filter="data")
    (again,) = build(next(tmp_path.glob("raftka-*")), tmp_path / "again", "-t", "wheel")
    assert names(again) == names(wheel)


@pytest.mark.wire
def test_a_project_with_folders_of_the_same_names_works(wheel: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    python = fresh / "bin" / "python"
    (site,) = fresh.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile"]
    where = ["--target", str(site), "--disable-pip-version-check"]
    subprocess.run([*pip, *where, str(wheel)], check=True)
    # What raftka needs comes from here; a path in a .pth file brings no other .pth file along, so
    # that the checkout, which is installed here, is not found.
    (site / "needed.pth").write_text(sysconfig.get_path("purelib"))
    project = tmp_path / "project"
    for name, text in PROJECT.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_line_of_comment_goes_and_a_line_of_text_stays() -> None:
    from build_hook import without_explanations

    source = 'x = """\n# text\n"""\n# gone\ny = f"""\n# {x}\n"""  # stays\n'
    assert without_explanations(source) == source.replace("# gone", "")
