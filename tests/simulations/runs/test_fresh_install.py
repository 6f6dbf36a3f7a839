"""A run in a process that finds nothing compiled, as the first one after an installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

RUN = """
import json, sys
from raftka.simulations.plan import Options
from raftka.simulations.runs.preparation import prepare
from raftka.simulations.runs.run import plan_for, run_plan
prepare()
before = set(sys.modules)
outcome = run_plan(plan_for(Options(7, duration_s=2.0, faults=())))
violation = outcome.violation and outcome.violation.story
print(json.dumps([violation, outcome.acked, sorted(set(sys.modules) - before)]))
"""


def test_the_first_run_after_an_installation_holds(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    violation, acknowledged, imported = json.loads(done.stdout)
    assert violation is None, violation
    assert acknowledged > 0
    # Modules imported during a run are compiled again for every run, since none is written.
    assert imported == []
