"""The command `raftka drain`, and its common code with `raftka replace`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import trio
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from raftka.client.admin import Admin
from raftka.client.tools.options import Options, ToolError, UsageError, admin_settings, whole_number
from raftka.client.tools.running import run
from raftka.console import OutputConsole
from raftka.doctor.finding import some
from raftka.drain.moving import (
    State,
    Wish,
    begin,
    cancel,
    cordon,
    lift,
    look,
    proposal,
    uncordon,
)
from raftka.model.errors import RETRIABLE, KafkaError
from raftka.model.ids import TopicPartition
from raftka.model.ports import BrokenConnection

_LOOKS_AGAIN_S: Final = 1.0
_PATIENCE_S: Final = 60.0
"""How long the cluster may not answer before the command ends; the moves continue without it."""
_ROWS_SHOWN: Final = 40
_GOES_ON: Final = "The moves go on in the cluster; the same command shows how far they are."

options = Options(
    "raftka drain",
    "Move every replica away from brokers, alive or dead, and keep new ones off them. The state is"
    " in the cluster: run it again after any interruption.",
)
options.add_argument("brokers", metavar="BROKER", nargs="*", help="The ids of the brokers.")
options.text("--to", metavar="IDS", help="The only brokers that may take replicas, as 4,5.")
options.flag("--cancel", help="Put back what has not arrived, and let new replicas come.")


def common_options(those: Options) -> None:
    """The common description of draining and replacing."""
    those.servers()
    those.number(
        "--throttle", bits=64, help="Bytes a second that each broker may send and take for it."
    )
    those.flag("--dry-run", help="Show which replica would go where; change nothing.")
    those.flag("--no-wait", help="Begin the moves, and end; run it again to see how far it is.")


common_options(options)


def main(argv: Sequence[str]) -> int:
    return run(options, argv, _read, work)


def _read(argv: Sequence[str]) -> argparse.Namespace:
    found = options.read(argv)
    if not found.brokers:
        raise UsageError("give the id of the broker to drain, as: raftka drain 3")
    leaving = ids_of(found.brokers)
    sites = ids_of(found.to.split(",")) if found.to else ()
    if set(leaving) & set(sites):
        raise UsageError(f"--to {found.to} names a broker that is drained")
    found.wish = Wish(leaving, sites, throttle=found.throttle)
    return checked(found)


def checked(found: argparse.Namespace) -> argparse.Namespace:
    """Check the common options. Raises UsageError."""
    if found.bootstrap_server is None:
        raise UsageError("--bootstrap-server is missing")
    if found.throttle is not None and found.throttle < 1:
        raise UsageError("--throttle is at least 1 byte a second")
    return found


def ids_of(words: Sequence[str]) -> tuple[int, ...]:
    """Broker ids from text. Raises UsageError for anything else."""
    try:
        return tuple(dict.fromkeys(whole_number(each) for each in words))
    except ValueError:
        raise UsageError(f"{' '.join(words)}: brokers are named by their ids, as 3") from None


async def work(found: argparse.Namespace) -> int:
    """Carry out `found.wish`. Raises KafkaError, ToolError."""
    wish: Wish = found.wish
    async with Admin(admin_settings(found)) as admin:
        state = await look(admin, wish)
        if found.dry_run:
            _show(OutputConsole(), state, proposal(state, wish))
            return 0
        if found.cancel:
            await _cancel(admin, state, wish)
            return 0
        # Check this first, so that an impossible request changes nothing.
        proposal(state, wish)
        alive = {site.broker_id for site in state.sites}
        await cordon(admin, [each for each in wish.leaving if each in alive])
        begun = await begin(admin, state, wish)
        total = len(state.on_leaving)
        print(
            f"{begun} partitions begin to move, {len(state.moving)} were under way:"
            f" {total} in all leave {_named(wish.leaving)}."
        )
        if found.no_wait:
            if total:
                print(_GOES_ON)
            return 0
        if lost := await _wait(admin, wish, total):
            raise ToolError(
                f"{len(lost)} partitions have no leader, and their records are nowhere else than on"
                f" brokers that do not run: {some(sorted(map(str, lost)))}. Start one of those"
                " brokers again, or delete the topics; then run this again"
            )
        await lift(admin, wish.leaving)
        _done(wish)
    return 0


async def _wait(admin: Admin, wish: Wish, total: int) -> frozenset[TopicPartition]:
    """Wait until no movable replica is on the brokers; returns the immovable ones. Replicas that
    were added meanwhile move away, too.
    """
    silent_since: float | None = None
    with _bar(total) as advance:
        while True:
            try:
                state = await look(admin, wish)
                silent_since = None
                if state.on_leaving == state.lost and not state.on_leaving - state.moving.keys():
                    advance(total - len(state.lost), total)
                    return state.lost
                total = max(total, len(state.on_leaving))
                advance(total - len(state.on_leaving), total)
                if state.on_leaving - state.moving.keys() or _wrong_way(state, wish):
                    await begin(admin, state, wish)
            except (BrokenConnection, KafkaError) as error:
                now_s = trio.current_time()
                if isinstance(error, KafkaError) and error.code not in RETRIABLE:
                    raise
                silent_since = now_s if silent_since is None else silent_since
                if now_s - silent_since > _PATIENCE_S:
                    print(_GOES_ON, file=sys.stderr)
                    raise
            await trio.sleep(_LOOKS_AGAIN_S)


def _wrong_way(state: State, wish: Wish) -> bool:
    """Whether a move in progress would end on a broker that leaves."""
    return any(set(state.current[target]) & set(wish.leaving) for target in state.moving)


async def _cancel(admin: Admin, state: State, wish: Wish) -> None:
    count = await cancel(admin, state)
    alive = {site.broker_id for site in state.sites}
    await uncordon(admin, [each for each in wish.leaving if each in alive])
    await lift(admin, wish.leaving)
    print(
        f"{count} partitions stay where they were; {_named(wish.leaving)} may get new replicas"
        " again."
    )


def _done(wish: Wish) -> None:
    ids = " ".join(map(str, wish.leaving))
    print(f"No replica is on {_named(wish.leaving)} any longer, and none will be placed there.")
    print(
        "To take it out of the cluster: stop it, then kafka-cluster unregister --id"
        f" {wish.leaving[0]} (if it is a voter: kafka-metadata-quorum remove-controller before)."
        f" To use it again: raftka drain {ids} --cancel."
    )


def _named(brokers: Sequence[int]) -> str:
    return f"broker{'s' if len(brokers) > 1 else ''} {', '.join(map(str, brokers))}"


def _show(console: Console, state: State, wanted: Mapping[TopicPartition, Sequence[int]]) -> None:
    """The proposal, as a table."""
    if state.moving:
        print(f"{len(state.moving)} partitions are moving away already.")
    if not wanted:
        print("Nothing has to be moved.")
        return
    table = Table("partition", "replicas now", "replicas then", title="What would be moved")
    for target in sorted(wanted)[:_ROWS_SHOWN]:
        table.add_row(str(target), _list(state.current[target]), _list(wanted[target]))
    console.print(table)
    if len(wanted) > _ROWS_SHOWN:
        print(f"... and {len(wanted) - _ROWS_SHOWN} more.")
    gained: dict[int, int] = {}
    for target, replicas in wanted.items():
        for broker in set(replicas) - set(state.current[target]):
            gained[broker] = gained.get(broker, 0) + 1
    shares = ", ".join(f"{count} to broker {broker}" for broker, count in sorted(gained.items()))
    print(f"{len(wanted)} partitions would move: {shares}. Nothing was changed.")


def _list(replicas: Sequence[int]) -> str:
    return ",".join(map(str, replicas))


_Advance = Callable[[int, int], object]
"""Called with the number of moved partitions, and the total."""


class _Lines:
    """A line for each change."""

    def __init__(self) -> None:
        self._before = -1

    def __call__(self, done: int, of: int) -> None:
        if done != self._before:
            self._before = done
            print(f"{done} of {of} partitions have moved", flush=True)


@contextmanager
def _bar(total: int) -> Iterator[_Advance]:
    """Progress on one line in a terminal; elsewhere a line for each change."""
    console = OutputConsole()
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (
        TextColumn("moved"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("partitions,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=total)
        yield lambda done, of: progress.update(task, completed=done, total=of)
