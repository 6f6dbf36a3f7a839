"""The table at the end."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from raftka.demo.ledger import Verdict
from raftka.demo.scenario import Failover, Scenario


def print_report(console: Console, scenario: Scenario) -> Verdict:
    """Print the results; returns the verdict."""
    verdict = scenario.ledger.verdict()
    console.print()
    console.print(
        Group(_failovers(scenario.failovers), Text(), _account(verdict, scenario.members))
    )
    for words in scenario.ledger.failed[:5]:
        console.print(f"not written: {words}", style="red")
    if verdict.kept:
        kept = "Every acknowledged record was read; none is in the log twice."
        console.print(f"\n{kept}", style="green")
    else:
        console.print("\nThe promise was broken.", style="bold red")
    return verdict


def _failovers(failovers: list[Failover]) -> RenderableType:
    table = Table(title="Failovers", show_header=False, title_justify="left", expand=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for number, each in enumerate(failovers):
        if number:
            table.add_section()
        table.add_row("killed with SIGKILL", f"node {each.node_id}, the {each.what}")
        table.add_row("acknowledgements paused", _duration(each.outage_s))
        controller = each.new_controller
        if controller is not None:
            since = _duration(controller.at - each.at_wall)
            table.add_row(
                "new active controller",
                f"node {controller.controller} in epoch {controller.epoch}, after {since}",
            )
        for election in each.elections:
            if election.old_leader == each.node_id and election.new_leader >= 0:
                table.add_row(
                    f"{election.name}",
                    f"led by {election.new_leader} from epoch {election.epoch} on, after"
                    f" {_duration(election.at - each.at_wall)}: {election.reason}",
                )
        table.add_row("in sync before", _isr(each.isr_before))
        table.add_row("in sync after the kill", _isr(each.isr_after))
        table.add_row("in sync after the restart", _isr(each.isr_healed))
    return table


def _account(verdict: Verdict, members: list[int]) -> RenderableType:
    table = Table(title="Records", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    bad, good = "bold red", "green"
    table.add_row("sent", f"{verdict.sent:,}")
    table.add_row("acknowledged (acks=all)", f"{verdict.acknowledged:,}")
    table.add_row("read", f"{verdict.read:,}")
    shares = " + ".join(f"{count:,}" for count in members)
    table.add_row("by the two members", shares)
    table.add_row("lost", f"{verdict.lost:,}", style=bad if verdict.lost else good)
    twice = verdict.duplicated
    table.add_row("duplicated in the log", f"{twice:,}", style=bad if twice else good)
    table.add_row("read again after a rebalance", f"{verdict.read_again:,}")
    if verdict.failed or verdict.unknown:
        table.add_row("given up by the producer", f"{verdict.failed:,}", style=bad)
        table.add_row("read with other contents", f"{verdict.unknown:,}", style=bad)
    return table


def _isr(by_partition: dict[int, tuple[int, ...]]) -> str:
    """Partitions with the same ISR share a line."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for partition, isr in sorted(by_partition.items()):
        groups.setdefault(tuple(sorted(isr)), []).append(partition)
    if len(groups) == 1:
        return f"{_numbers(next(iter(groups)))} (all partitions)"
    return "; ".join(
        f"{_numbers(isr)} (partition {_numbers(partitions)})" for isr, partitions in groups.items()
    )


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _duration(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds * 1000:,.0f} ms"
