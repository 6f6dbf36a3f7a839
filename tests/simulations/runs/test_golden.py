"""Whole runs have their recorded results, in every process.

After an intended change: `python -m raftka.simulations.runs.golden`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raftka.simulations.runs import golden

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_every_plan_comes_to_what_is_written_down(hash_seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "raftka.simulations.runs.golden", "--check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    again = "python -m raftka.simulations.runs.golden"
    words = f"if this is meant, run {again}\n{done.stdout}{done.stderr}"
    assert done.returncode == 0, words
    assert len(done.stdout.splitlines()) == len(golden.plans()) >= 3


def test_what_changes_is_told_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "single-node"
    plan = tmp_path / f"{name}.json"
    plan.write_bytes((golden.FOLDER / plan.name).read_bytes())
    text = (golden.FOLDER / f"{name}.txt").read_text()
    wrong = tmp_path / f"{name}.txt"
    wrong.write_text(text.replace("\nacked ", "\nacked 1"))
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    assert golden.main(["--check"]) == 1
    acked = next(line.split()[1] for line in text.splitlines() if line.startswith("acked"))
    told = capsys.readouterr().out
    assert told == f"{name}: differs\n  acked: 1{acked} -> {acked}\n"
    assert golden.main([]) == 0
    assert wrong.read_text() == text
    assert golden.main(["--check"]) == 0


def test_plans_compress_nothing_and_hold() -> None:
    for path in golden.plans():
        assert "compression" not in path.read_text()
        assert "\nexit held\n" in golden.expected(path)
