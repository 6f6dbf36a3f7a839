"""The results of a run and of a batch, as text for people and as JSON for scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from raftka.simulations.observers.leadership_history import ControllerElection
from raftka.simulations.runs.run import Outcome
from raftka.simulations.story.story import wrapped
from raftka.simulations.story.words import plural
from raftka.simulations.violation import Exit

_FOUND = {
    Exit.HELD: "HELD",
    Exit.SAFETY: "SAFETY VIOLATED",
    Exit.LIVENESS: "LIVENESS VIOLATED",
    Exit.CRASHED: "CRASHED",
}


def as_dict(outcome: Outcome, commit: str) -> dict[str, Any]:
    """The result for scripts, which rely on the documented keys."""
    return {
        "seed": outcome.plan.seed,
        "commit": commit,
        "trace_hash": outcome.trace_hash,
        "virtual_s": outcome.virtual_s,
        "wall_s": outcome.wall_s,
        "speed": round(outcome.speed, 1),
        "events": outcome.events,
        "messages": outcome.messages,
        "faults": outcome.faults,
        "elections": {
            "controller": len(outcome.controllers),
            "controllers": [each.as_dict() for each in outcome.controllers],
            "partition": outcome.leader_elections,
        },
        "acked": outcome.acked,
        "read": outcome.read,
        "failed": outcome.failed,
        "checks": outcome.checks,
        "reached": outcome.reached,
        "allowed_losses": len(outcome.losses),
        "lost_acks_1": outcome.lost_acks_1,
        "longest_gap_s": outcome.longest_gap_s,
        "outages_s": outcome.outages_s,
        "controller_election_s": outcome.controller_election_s,
        "partition_election_s": outcome.partition_election_s,
        "violations": [outcome.violation.as_dict()] if outcome.violation is not None else [],
        "exit": int(outcome.exit),
    }


def as_json(outcome: Outcome, commit: str) -> str:
    return json.dumps(as_dict(outcome, commit))


def summary(outcome: Outcome, commit: str, replay: str) -> str:
    """The summary of one run."""
    plan = outcome.plan
    brokers = sum("broker" in node.roles for node in plan.nodes)
    lines = [
        f"seed {plan.seed} at {commit}: {_FOUND[outcome.exit]}",
        "",
        f"  cluster      {len(plan.nodes)} nodes, {brokers} of them brokers;"
        f" {len(plan.topics)} topics, {len(plan.producers)} producers,"
        f" {len(plan.consumers)} consumers",
        f"  time         {outcome.virtual_s:.1f} virtual seconds in {outcome.wall_s:.1f}"
        f" ({outcome.speed:.0f} times real time)",
        f"  events       {outcome.events} ({outcome.messages} messages), {outcome.checks} checks",
        f"  records      {outcome.acked} acknowledged, {outcome.read} read,"
        f" {outcome.failed} refused or given up",
        f"  faults       {_counts(outcome.faults)}",
        f"  controllers  {plural(len(outcome.controllers), 'election')}"
        + (":" if outcome.controllers else ""),
        *map(_reign, outcome.controllers),
        f"  leaders      {plural(sum(outcome.leader_elections.values()), 'election')} of partition"
        f" leaders{':' if outcome.leader_elections else ''}",
    ]
    lines += [f"  {count:10}   {reason}" for reason, count in _by_reason(outcome.leader_elections)]
    if outcome.partition_election_s:
        took_s = sorted(outcome.partition_election_s)
        lines.append(
            f"               after a leader was gone the next one came within {took_s[-1]:.2f} s,"
            f" in the median {took_s[len(took_s) // 2]:.2f} s"
        )
    if outcome.outages_s:
        lines.append(
            f"  outages      {len(outcome.outages_s)} times a partition had no leader, the longest"
            f" {max(outcome.outages_s):.2f} s"
        )
    if outcome.reached:
        lines.append(f"  rare         {_counts(outcome.reached)}")
    if outcome.losses:
        lines.append(f"  allowed      {len(outcome.losses)} losses that no promise covers")
    if outcome.lost_acks_1:
        lines.append(f"  acks=1       {outcome.lost_acks_1} records lost that only a leader had")
    lines.append(f"  trace        {outcome.trace_hash}")
    if outcome.violation is not None:
        lines += ["", story(outcome), "", f"replay: {replay}"]
    return "\n".join(lines)


def _reign(election: ControllerElection) -> str:
    took = "" if election.took_s is None else f"; {election.took_s:.2f} s without a controller"
    words = f"{election.node} in term {election.term}: {election.reason}{took}"
    return f"  {election.at_s:9.1f} s   {words}"


def story(outcome: Outcome) -> str:
    """The violation: name, time, and the last events that matter."""
    violation = outcome.violation
    assert violation is not None
    lines = [f"{violation.name}, at {violation.at_s:.3f} s", ""]
    if violation.told is not None:
        # For a traceback, the story shows what matters.
        first = violation.story.strip().splitlines()[0]
        lines += [f"  {line}" for line in wrapped(first, 96)]
        return "\n".join([*lines, "", *violation.told.lines()])
    lines.append(f"  {violation.story}")
    if violation.events:
        lines += ["", "the last events that matter:"]
        lines += [f"  {line_of(event)}" for event in violation.events]
    return "\n".join(lines)


def line_of(event: Mapping[str, Any]) -> str:
    """One event in one line."""
    known = ("id", "t", "kind", "node")
    rest = " ".join(f"{k}={v}" for k, v in event.items() if k not in known)
    return f"{event['t']:10.3f}  {event.get('node', ''):8} {event['kind']} {rest}"[:220]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _by_reason(elections: Mapping[str, int]) -> list[tuple[str, int]]:
    """Reasons without the names in them, most frequent first."""
    found: Counter[str] = Counter()
    for reason, count in elections.items():
        found[general(reason)] += count
    return found.most_common()


def general(reason: str) -> str:
    """A reason of an election without ids: "broker 3 was fenced: ..." as "a broker was fenced"."""
    words = reason.partition(": ")[0].split()
    if len(words) > 1 and words[0] == "broker" and words[1].isdecimal():
        words[:2] = ["a", "broker"]
    return " ".join(words)


def table(rows: Iterable[Sequence[object]]) -> str:
    """The rows of a table as text with aligned columns."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )
