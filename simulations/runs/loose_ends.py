"""Checks that events of runs lead back to a first cause: a fault, an operation, a timer, or the
start of a process.

    python -m raftka.simulations.runs.loose_ends --seeds 200

runs seeds with all faults. It counts elections, ISR changes, fencings, truncations, failed sends
and retries by kind, and those whose causes (`cause` and `after` of docs/trace.md) lead to no first
cause.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any, Final

from raftka.simulations.faults.table import FAULTS
from raftka.simulations.plan import Options
from raftka.simulations.runs.run import plan_for, run_plan

FIRST: Final = frozenset(
    {
        *("fault", "operation", "heal", "start", "timer-fired"),
        *("kill", "power-loss", "pause", "resume", "shutdown", "wipe", "cut", "link-healed"),
        *("full-disk", "disk-freed", "directory-failed", "slow-disk", "clock-jump"),
        *FAULTS,
    }
)
"""Kinds of first causes."""
ASKED: Final = frozenset(
    {
        *("quorum-vote", "controller-elected", "quorum-truncate", "broker-registered"),
        *("broker-fenced", "broker-unfenced", "broker-unregistered", "leader-elected"),
        *("isr-changed", "truncate", "failed", "send-failed", "retry"),
    }
)
"""Kinds of events whose causes are followed."""


class LooseEnds:
    """Takes the lines of one run."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.loose: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        """The first loose line of each kind."""
        self._grounded = bytearray(1)
        """By event: whether its causes include a first cause."""

    def write(self, text: str) -> None:
        """Take a line; causes come before their effects."""
        event: dict[str, Any] = json.loads(text)
        kind = "retry" if event.get("again") else event["kind"]
        causes = [*event.get("after", ()), *([event["cause"]] if "cause" in event else [])]
        grounded = kind in FIRST or any(self._grounded[cause] for cause in causes)
        self._grounded.append(grounded)
        assert len(self._grounded) == event["id"] + 1
        if kind in ASKED:
            self.seen[kind] += 1
            if not grounded:
                self.loose[kind] += 1
                self.examples.setdefault(kind, text.strip())


def look(seed: int, seconds: float) -> LooseEnds:
    """The loose ends of one seed with every fault in the draw."""
    found = LooseEnds()
    run_plan(plan_for(Options(seed, duration_s=seconds)), sink=found)
    return found


def main(argv: list[str] | None = None) -> int:
    """Print the counts; 1 when there is a loose end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0, help="virtual time under faults")
    options = parser.parse_args(argv)
    seen: Counter[str] = Counter()
    loose: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.seeds):
        found = look(seed, options.seconds)
        seen += found.seen
        loose += found.loose
        for kind, line in found.examples.items():
            print(f"seed {seed}: a loose {kind}: {line}")
    for kind, count in sorted(seen.items()):
        print(f"{kind:20} {count:8} {loose[kind]:8} loose")
    return 1 if loose else 0


if __name__ == "__main__":
    raise SystemExit(main())
