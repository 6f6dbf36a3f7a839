"""The server-side assignors: each is a pure function of the group and its topics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from raftka.broker.coordinators.group.consumer.assignors.range import assign as by_range
from raftka.broker.coordinators.group.consumer.assignors.spec import GroupSpec, Shares
from raftka.broker.coordinators.group.consumer.assignors.uniform import assign as uniformly

Assignor = Callable[[GroupSpec], Shares]

ASSIGNORS: Final[dict[str, Assignor]] = {"uniform": uniformly, "range": by_range}
"""The assignors, by their names in group.consumer.assignors and in heartbeats."""
