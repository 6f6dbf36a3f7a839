"""Periodic elections: preferred leaders, and unclean elections where allowed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from raftka.broker.controller.writer import Decide
from raftka.kraft.controller import leaders
from raftka.kraft.controller.result import Rules
from raftka.model import timers
from raftka.model.ports import Clock
from raftka.model.settings import Config

_UNCLEAN_INTERVAL_S: Final = 300.0
_SHORTEST_S: Final = 0.25

Attempt = Callable[[str, Decide[Any]], Awaitable[Any]]
"""Submits a decision of the controller's own, with its name; returns None if it is deposed."""


async def keep_leaders(attempt: Attempt, rules: Rules, config: Config, clock: Clock) -> None:
    """Run for as long as this node is the active controller.

    Applies auto.leader.rebalance.enable and leader.imbalance.check.interval.seconds; any imbalance
    is corrected, in rounds that leave room for other operations. If a topic allows unclean
    elections, its leaderless partitions are checked at the start and every five minutes. The start
    also finishes elections that the previous controller may have left pending.
    """
    await attempt("elect brokers that are back", lambda i: leaders.finish_returns(i, rules))
    balance = config.flag("auto.leader.rebalance.enable")
    interval_s = config.int("leader.imbalance.check.interval.seconds")
    next_unclean_s = clock.monotonic()
    next_balance_s = next_unclean_s + interval_s
    while True:
        now_s = clock.monotonic()
        if now_s >= next_unclean_s:
            next_unclean_s = now_s + _UNCLEAN_INTERVAL_S
            timers.fired("unclean-election")
            await attempt(
                "elect uncleanly",
                lambda image: leaders.elect_uncleanly_where_allowed(image, rules),
            )
        if balance and now_s >= next_balance_s:
            timers.fired("leader-imbalance")
            more = await attempt(
                "rebalance preferred leaders",
                lambda image: leaders.rebalance_preferred(image, rules),
            )
            next_balance_s = now_s if more else now_s + interval_s
        until_s = min(next_unclean_s, next_balance_s) if balance else next_unclean_s
        await clock.sleep(max(_SHORTEST_S, until_s - clock.monotonic()))
