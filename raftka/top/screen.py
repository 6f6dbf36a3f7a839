"""The tables of `raftka top`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from raftka.top.view import Election, View


def screen(
    view: View,
    elections: Sequence[tuple[str, Election]],
    rows: int,
    trouble: str | None = None,
) -> Group:
    """All tables; each has at most `rows` rows. `elections` are (time of day, election).

    `trouble`: why there is no newer view than this one.
    """
    sample = view.sample
    offline = sum(topic.offline for topic in view.topics)
    lacking = sum(topic.under_replicated for topic in view.topics)
    head = Text(f"cluster {sample.cluster_id}  ", style="bold")
    controller = "none" if sample.controller_id < 0 else str(sample.controller_id)
    head.append(f"controller {controller}, epoch {sample.controller_epoch}  ")
    head.append(f"{view.records_s:,.0f} records/s  ")
    head.append(f"{lacking} under-replicated  ", style="yellow" if lacking else "green")
    head.append(f"{offline} without a leader", style="red" if offline else "green")
    if trouble is not None:
        head = Text(trouble, style="bold red")
    return Group(
        head,
        _brokers(view, rows),
        _topics(view, rows),
        _groups(view, rows),
        _elections(elections, rows),
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", expand=True, box=None, header_style="bold")
    for column in columns:
        table.add_column(column.strip(), justify="right" if column.startswith(" ") else "left")
    return table


def _brokers(view: View, rows: int) -> Table:
    racks = ("rack",) if any(row.broker.rack for row in view.brokers) else ()
    table = _table(
        "Brokers", "id", "address", *racks, "state", " leads", " replicas", " not in ISR"
    )
    for row in view.brokers[:rows]:
        state = "fenced" if row.broker.fenced else "controller" if row.is_controller else "alive"
        table.add_row(
            str(row.broker.id),
            f"{row.broker.host}:{row.broker.port}",
            *([row.broker.rack or ""] if racks else []),
            Text(state, style="red" if row.broker.fenced else ""),
            str(row.leads),
            str(row.replicas),
            Text(str(row.missing), style="yellow" if row.missing else ""),
        )
    return table


def _topics(view: View, rows: int) -> Table:
    table = _table(
        f"Topics ({len(view.topics)})",
        *("name", " partitions", " replicas", " records/s", " under-replicated", " no leader"),
    )
    for row in view.topics[:rows]:
        table.add_row(
            row.name,
            str(row.partitions),
            str(row.replication),
            f"{row.records_s:,.0f}",
            Text(str(row.under_replicated), style="yellow" if row.under_replicated else ""),
            Text(str(row.offline), style="red" if row.offline else ""),
        )
    return table


def _groups(view: View, rows: int) -> Table:
    table = _table(
        f"Groups ({len(view.groups)})", "name", "state", " members", " lag", " records/s"
    )
    for row in view.groups[:rows]:
        lag = "-" if row.lag is None else f"{row.lag:,}"
        table.add_row(row.name, row.state, str(row.members), lag, f"{row.records_s:,.0f}")
    return table


def _elections(elections: Sequence[tuple[str, Election]], rows: int) -> Table:
    table = _table("Last elections", "time", "of", "from", "to", " epoch", "why")
    for time, each in list(elections)[-rows:][::-1]:
        old, new = ("none" if broker < 0 else str(broker) for broker in (each.old, each.new))
        table.add_row(time, each.what, old, new, str(each.epoch), each.why)
    return table
