"""The fetch loop over a network: it connects, copies, reconnects, and does not wait needlessly."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio

from raftka.broker.replication.fetcher_config import FetcherConfig
from raftka.broker.replication.replica_fetchers import ReplicaFetchers
from raftka.kraft.image import PartitionImage
from raftka.model import logs
from raftka.model.ids import Endpoint
from raftka.net.server import Server
from raftka.simulations.machines.clock import SimClock
from raftka.simulations.machines.determinism import run
from raftka.simulations.machines.network import Fabric
from tests.support.data_plane import Broker, World, make_batch

VIEW = PartitionImage((1, 2), (1, 2), 1)


class Pair:
    """A leader that serves, and a follower that fetches, over a simulated network."""

    fabric: Fabric
    nursery: trio.Nursery

    def __init__(self, partitions: int) -> None:
        self.world = World()
        self.world.add_topic("logs", *[VIEW] * partitions)
        self.leader = Broker(self.world, 1, clock=SimClock())
        self.follower = Broker(self.world, 2, clock=SimClock())
        self._serving = trio.CancelScope()

    def join(self, fabric: Fabric, nursery: trio.Nursery) -> None:
        """Join the network, in these tasks."""
        self.fabric = fabric
        self.nursery = nursery
        self.fetchers = ReplicaFetchers(
            self.follower.replicas,
            fabric.host("two"),
            SimClock(),
            self.follower.turn,
            config=FetcherConfig(),
            endpoint=lambda broker_id: Endpoint("one", 9092),
            broker_epoch=lambda: 102,
        )
        self.follower.replicas.fetching = self.fetchers
        nursery.start_soon(self.leader.deadlines.run, self._in_turn)

    def _in_turn(self, work: Callable[[], None]) -> None:
        self.leader.turn.begin()
        work()
        self.leader.turn.end()

    async def start(self) -> None:
        self.nursery.start_soon(self.serve)
        self.nursery.start_soon(self.fetchers.run)
        self.leader.publish()
        self.follower.publish()

    def leave_behind(self) -> None:
        """The leader takes three records alone, and deletes two."""
        self.leader.publish()
        self.world.change("logs", isr=(1,))
        self.leader.publish()
        for value in (b"a", b"b", b"c"):
            self.leader.produce("logs", value)
        self.leader.replica("logs").delete_records(2)

    async def serve(self) -> None:
        """The leader's listener, until `stop`; its connections go with it."""
        server = Server(
            self.leader.dispatcher,
            name="PLAINTEXT",
            turn=self.leader.turn,
            clock=SimClock(),
            max_frame_bytes=1 << 20,
            max_idle_s=600.0,
        )
        listener = await self.fabric.host("one").listen("one", 9092)
        self._serving = trio.CancelScope()
        with self._serving:
            await server.run(listener)

    def stop(self) -> None:
        self._serving.cancel()

    def end(self, index: int = 0) -> int:
        return self.follower.replica("logs", index).log.log_end_offset

    async def caught_up(self, within_s: float, index: int = 0) -> None:
        leading = self.leader.replica("logs", index).log
        await eventually(lambda: self.end(index) == leading.log_end_offset, within_s)


async def eventually(condition: Callable[[], bool], within_s: float) -> None:
    """Wait, in virtual time, until the condition holds."""
    clock = SimClock()
    with trio.fail_after(within_s):
        while not condition():
            await clock.sleep(0.001)


def with_pair(scenario: Callable[[Pair], Awaitable[None]], partitions: int = 1) -> None:
    pair = Pair(partitions)

    async def main() -> None:
        fabric = Fabric(random.Random(1))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fabric.run)
            pair.join(fabric, nursery)
            await scenario(pair)
            nursery.cancel_scope.cancel()

    run(main, 1)


def test_records_are_copied_at_once_and_acknowledged() -> None:
    async def scenario(pair: Pair) -> None:
        await pair.start()
        await trio.sleep(2.2)
        for value in (b"a", b"b", b"c"):
            answer = pair.leader.produce("logs", value, acks=-1)
            # Not only when a fetch's wait is over.
            await eventually(lambda answer=answer: not answer.is_waiting, 0.1)  # type: ignore[misc]
        assert pair.end() == 3

    with_pair(scenario)


def test_a_leader_that_comes_back_is_found_again() -> None:
    async def scenario(pair: Pair) -> None:
        await pair.start()
        pair.leader.produce("logs", b"a")
        await pair.caught_up(1.0)
        pair.stop()
        await trio.sleep(5)
        pair.leader.produce("logs", b"b")
        pair.nursery.start_soon(pair.serve)
        await pair.caught_up(3.0)

    with_pair(scenario)


def test_a_new_partition_does_not_wait_for_the_fetch_that_is_held() -> None:
    async def scenario(pair: Pair) -> None:
        await pair.start()
        await trio.sleep(1.1)
        pair.world.add_topic("more", VIEW)
        pair.leader.publish()
        pair.follower.publish()
        pair.leader.produce("more", b"x")
        await eventually(lambda: pair.follower.replica("more").log.log_end_offset == 1, 0.2)

    with_pair(scenario)


def test_partitions_that_are_left_cost_nothing_and_the_connection_ends_with_the_last() -> None:
    async def scenario(pair: Pair) -> None:
        await pair.start()
        await trio.sleep(1)
        del pair.world.topics["logs"]
        pair.follower.publish()
        await trio.sleep(1)
        assert len(pair.leader.data_plane.fetch_sessions) == 0
        pair.world.add_topic("logs", VIEW)
        pair.follower.publish()
        pair.leader.publish()
        pair.leader.produce("logs", b"a")
        await pair.caught_up(1.0)

    with_pair(scenario)


def test_a_follower_that_was_left_behind_asks_where_the_log_begins() -> None:
    async def scenario(pair: Pair) -> None:
        pair.leave_behind()
        await pair.start()
        await pair.caught_up(2.0)
        log = pair.follower.replica("logs").log
        assert (log.log_start_offset, log.log_end_offset) == (2, 3)

    with_pair(scenario)


def test_many_partitions_share_the_connection() -> None:
    async def scenario(pair: Pair) -> None:
        await pair.start()
        await trio.sleep(1)
        for index in range(50):
            pair.leader.produce_batch("logs", make_batch(b"%d" % index), index=index)
        for index in range(50):
            await pair.caught_up(1.0, index)
        assert len(pair.leader.data_plane.fetch_sessions) == 1

    with_pair(scenario, 50)


def test_a_leader_that_only_hangs_up_is_told_of_once_and_asked_less_often() -> None:
    accepted = 0

    async def scenario(pair: Pair) -> None:
        listener = await pair.fabric.host("one").listen("one", 9092)

        async def hang_up() -> None:
            nonlocal accepted
            while True:
                connection = await listener.accept()
                accepted += 1
                connection.close()

        pair.nursery.start_soon(hang_up)
        pair.nursery.start_soon(pair.fetchers.run)
        pair.leader.publish()
        pair.follower.publish()
        await SimClock().sleep(10)

    with logs.captured() as lines:
        with_pair(scenario)
    assert 5 < accepted < 30
    assert sum("is interrupted" in line.words for line in lines) == 1


def test_a_back_off_that_is_all_but_over_is_waited_for_and_not_asked_about() -> None:
    asked = 0

    def almost(now_s: float) -> float:
        nonlocal asked
        asked += 1
        # The remainder of a back-off after rounding; without a limit the clock would stand still.
        return 1e-12 if asked < 10_000 else 1.0

    async def scenario(pair: Pair) -> None:
        await pair.start()
        await trio.sleep(1)
        (fetcher,) = pair.fetchers._fetchers.values()
        fetcher._session.retry = almost  # type: ignore[method-assign]
        pair.leader.produce("logs", b"a")
        await trio.sleep(0.02)

    with_pair(scenario)
    assert 1 < asked < 200


def test_no_fetch_goes_out_between_two_questions_of_where_the_log_begins() -> None:
    async def scenario(pair: Pair) -> None:
        pair.leave_behind()
        await pair.start()
        (fetcher,) = pair.fetchers._fetchers.values()
        with trio.fail_after(2.0):
            while not fetcher._session.lost:
                await SimClock().sleep(0.00005)
        # Meanwhile the partition gets another leader, and this one again.
        pair.fetchers.follow(pair.follower.replica("logs"))
        await pair.caught_up(0.3)

    with logs.captured() as lines:
        with_pair(scenario)
    assert not [line.words for line in lines if "is interrupted" in line.words]
