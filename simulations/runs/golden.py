"""Whole runs with known traces: the same on every machine, in every process.

    python -m raftka.simulations.runs.golden            run the plans, write changed results python
    -m raftka.simulations.runs.golden --check    only report changes; exit code 1 if there are any

Each plan in tests/simulations/runs/golden/ has a text with its expected result, the hash over all
its events first. A change in the behaviour of the cluster, its clients or the simulator changes
them; so does another order of tasks, for example by another version of trio. When a change is
intended, run this, read what it prints, and commit it with the change. When two changes meet, take
either side's texts and run it again.

The plans compress nothing, since another version of a library may compress better.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from raftka.simulations.plan import Plan
from raftka.simulations.runs.run import Outcome, run_plan
from raftka.simulations.violation import Exit

FOLDER: Final = Path(__file__).parents[3] / "tests" / "simulations" / "runs" / "golden"


def main(arguments: list[str]) -> int:
    """See the module; the arguments are `--check` and names of plans."""
    check = "--check" in arguments
    names = [each for each in arguments if each != "--check"]
    differs = False
    for path in plans():
        if names and path.stem not in names:
            continue
        before, after = expected(path), found(path)
        if before == after:
            print(f"{path.stem}: as it was")
            continue
        differs = True
        print(f"{path.stem}: {'differs' if check else 'written'}")
        for line in difference(before, after):
            print(f"  {line}")
        if not check:
            _text_of(path).write_text(after)
    return 1 if check and differs else 0


def plans() -> list[Path]:
    """The files of all plans."""
    return sorted(FOLDER.glob("*.json"))


def expected(path: Path) -> str:
    """The expected result of a plan; empty until it is first written."""
    text = _text_of(path)
    return text.read_text() if text.exists() else ""


def found(path: Path) -> str:
    """The current result."""
    return told(run_plan(Plan.loads(path.read_text())))


def told(outcome: Outcome) -> str:
    """The hash, and figures that show the kind of a change."""
    elections = [f"{each.node} at {each.at_s:.3f} s" for each in outcome.controllers]
    rows = {
        "trace": outcome.trace_hash,
        "exit": Exit(outcome.exit).name.lower(),
        "violation": outcome.violation.name if outcome.violation is not None else "none",
        "virtual_s": f"{outcome.virtual_s:.3f}",
        "events": outcome.events,
        "messages": outcome.messages,
        "acked": outcome.acked,
        "read": outcome.read,
        "controllers": ", ".join(elections),
        "leaders": sum(outcome.leader_elections.values()),
    }
    rows |= {f"  {kind}": count for kind, count in sorted(outcome.counts.items())}
    return "".join(f"{name} {value}\n" for name, value in rows.items())


def difference(before: str, after: str) -> list[str]:
    """The lines of a result, by name."""
    old, new = (dict(_named(line) for line in text.splitlines()) for text in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    return [
        f"{name}: {old.get(name, '-')} -> {new.get(name, '-')}"
        for name in names
        if old.get(name) != new.get(name)
    ]


def _named(line: str) -> tuple[str, str]:
    name, _, value = line.strip().partition(" ")
    return name, value


def _text_of(path: Path) -> Path:
    return path.with_suffix(".txt")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
