"""The dashboards of docker/grafana match their script, and query existing metrics."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "docker" / "grafana"
VARIABLE = re.compile(r"\$\w+")


def script() -> ModuleType:
    path = GRAFANA / "make_dashboards.py"
    spec = importlib.util.spec_from_file_location("make_dashboards", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files() -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted((GRAFANA / "dashboards").iterdir())}


QUERIES = sorted(
    {
        VARIABLE.sub(".*", target["expr"])
        for text in files().values()
        for panel in json.loads(text)["panels"]
        for target in panel["targets"]
    }
)
"""With every variable at All."""


def test_the_files_are_what_the_script_writes() -> None:
    make = script()
    assert files() == {name: make.text(name) for name in make.DASHBOARDS}, (
        "run: python docker/grafana/make_dashboards.py"
    )


def test_there_are_three_and_no_panel_lies_on_another() -> None:
    assert len(QUERIES) > 30
    for text in files().values():
        places = [
            (panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in json.loads(text)["panels"]
        ]
        assert len(places) == len(set(places))
    assert sorted(files()) == ["broker", "cluster", "groups"]
