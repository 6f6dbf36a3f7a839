"""The periodic work of the active controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from raftka.broker.controller.leader_upkeep import Attempt, keep_leaders
from raftka.kraft.controller.delegation_tokens import forget_expired
from raftka.kraft.controller.result import Rules
from raftka.model.ports import Clock
from raftka.model.settings import Config

_SECRET: Final = "delegation.token.secret.key"


def start(
    start_soon: Callable[..., None], attempt: Attempt, rules: Rules, config: Config, clock: Clock
) -> None:
    """Start all of it by `start_soon`; it runs while this node is the active controller."""
    start_soon(keep_leaders, attempt, rules, config, clock)
    if config.optional_text(_SECRET):
        start_soon(_forget_tokens, attempt, rules, config, clock)


async def _forget_tokens(attempt: Attempt, rules: Rules, config: Config, clock: Clock) -> None:
    interval_s = config.int("delegation.token.expiry.check.interval.ms") / 1000
    while True:
        await attempt(
            "forget delegation tokens that have expired",
            lambda image: forget_expired(image, rules, clock.wall_ms()),
        )
        await clock.sleep(interval_s)
