"""How long a producer waits when a node dies, or is paused: three processes, ten times each.

    python -m benchmarks.failover                      our client; the leader, then the controller
    python -m benchmarks.failover --client confluent   librdkafka
    python -m benchmarks.failover --kills 3 --directory /some/disk
    python -m benchmarks.failover --how stop --kind leader,controller,follower --kills 3

The producer keeps one record in flight at a time with acks=all to a partition that the victim
leads (or, for `follower`, another node leads), so that the pause is seen as a caller sees it: from
the kill to the next acknowledgement. The victim is started again and is in sync before the next
one dies. `--how kill` is kill -9, which breaks connections at once; `--how stop` is SIGSTOP, which
leaves them open, as a pulled plug does: only time shows it, by the nodes' default settings.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import trio

from raftka.client.admin import Admin, ElectionType, NewTopic
from raftka.client.producer import Producer
from raftka.local_cluster import LocalCluster
from raftka.model.errors import KafkaError
from raftka.model.ids import TopicPartition

TOPIC: Final = "failover"
_PATIENCE_S: Final = 90.0
_BEFORE_S: Final = 0.3
"""Seconds of undisturbed producing before each kill."""


class Pulse:
    """Acknowledgements as they come, from whichever client."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.count = 0
        self.last_s = 0.0
        self.errors = 0

    def acknowledged(self) -> None:
        self.last_s = time.monotonic()
        self.count += 1

    def wait_after(self, moment_s: float) -> float:
        """Seconds until a record that was sent after this time is acknowledged."""
        # The node that died may still have stored the record in flight at that time.
        seen = self.count + 1
        deadline = moment_s + _PATIENCE_S
        while self.count <= seen or self.last_s <= moment_s:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no acknowledgement in {_PATIENCE_S:g} s")
            time.sleep(0.001)
        return self.last_s - moment_s


def _ours(bootstrap: str, partition: int, pulse: Pulse) -> None:
    async def produce() -> None:
        async with Producer({"bootstrap.servers": bootstrap, "acks": "all"}) as producer:
            while not pulse.stopped.is_set():
                try:
                    sent = await producer.send(TOPIC, b"x", partition=partition)
                    await sent
                    pulse.acknowledged()
                except KafkaError:
                    pulse.errors += 1
                await trio.sleep(0.001)

    trio.run(produce)


def _confluent(bootstrap: str, partition: int, pulse: Pulse) -> None:
    from confluent_kafka import Producer as Librdkafka

    producer = Librdkafka({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})

    def delivered(error: object, _: object) -> None:
        if error is None:
            pulse.acknowledged()
        else:
            pulse.errors += 1

    while not pulse.stopped.is_set():
        producer.produce(TOPIC, b"x", partition=partition, on_delivery=delivered)
        while len(producer) and not pulse.stopped.is_set():
            producer.poll(0.01)
    producer.flush(1)


CLIENTS: Final[dict[str, Callable[[str, int, Pulse], None]]] = {
    "raftka": _ours,
    "confluent": _confluent,
}


@contextmanager
def producing(client: str, bootstrap: str, partition: int) -> Iterator[Pulse]:
    """A producer at work in a thread."""
    pulse = Pulse()
    thread = threading.Thread(target=CLIENTS[client], args=(bootstrap, partition, pulse))
    thread.start()
    try:
        pulse.wait_after(time.monotonic())
        yield pulse
    finally:
        pulse.stopped.set()
        thread.join()


async def prepare(bootstrap: str) -> None:
    """The topic: a partition for each node to lead."""
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        await admin.create_topics([NewTopic(TOPIC, 3, 3, configs={"min.insync.replicas": "2"})])


async def healed(bootstrap: str) -> tuple[dict[int, int], int]:
    """Wait until all are in sync and the preferred ones lead; leaders, the controller's id."""
    async with Admin({"bootstrap.servers": bootstrap}) as admin:
        with trio.fail_after(_PATIENCE_S):
            while True:
                topic = (await admin.describe_topics([TOPIC]))[TOPIC]
                if all(len(each.isr) == 3 for each in topic.partitions):
                    leaders = {e.index: e.leader.id if e.leader else -1 for e in topic.partitions}
                    preferred = {each.index: each.replicas[0] for each in topic.partitions}
                    if leaders == preferred:
                        return leaders, (await admin.describe_quorum()).leader_id
                    await admin.elect_leaders(
                        ElectionType.PREFERRED,
                        [TopicPartition(TOPIC, index) for index in sorted(preferred)],
                    )
                await trio.sleep(0.05)


def outage(cluster: LocalCluster, client: str, kind: str, how: str) -> float:
    """Seconds without an acknowledgement after the victim died, or was paused.

    The victim leads the partition, and is the active controller for "controller"; for "follower"
    neither.
    """
    leaders, controller = trio.run(healed, cluster.bootstrap)
    partition, victim = next(
        (index, node)
        for index, node in sorted(leaders.items())
        if (node == controller) == (kind == "controller")
    )
    if kind == "follower":
        partition = next(index for index, node in sorted(leaders.items()) if node != victim)
    with producing(client, cluster.bootstrap, partition) as pulse:
        time.sleep(_BEFORE_S)
        killed_s = time.monotonic()
        if how == "stop":
            process = cluster.processes[victim]
            process.send_signal(signal.SIGSTOP)
            try:
                return pulse.wait_after(killed_s)
            finally:
                process.send_signal(signal.SIGCONT)
        cluster.kill(victim)
        waited_s = pulse.wait_after(killed_s)
    cluster.start_node(victim)
    return waited_s


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    worst = 0.0
    with (
        tempfile.TemporaryDirectory(dir=options.directory) as directory,
        LocalCluster(directory, nodes=3) as cluster,
    ):
        cluster.start(60)
        trio.run(prepare, cluster.bootstrap)
        for kind in options.kind.split(","):
            waits = []
            for number in range(1, options.kills + 1):
                waits.append(outage(cluster, options.client, kind, options.how))
                print(f"{kind:10} {options.client:9} {number:2}: {waits[-1] * 1000:6.0f} ms")
                sys.stdout.flush()
            median = statistics.median(waits)
            worst = max(worst, median)
            print(f"{kind:10} {options.client:9} median {median * 1000:.0f} ms of {len(waits)}")
    return 0 if worst < (10.0 if options.how == "stop" else 1.0) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--client", choices=sorted(CLIENTS), default="raftka")
    parser.add_argument(
        "--kind", default="leader,controller", help="of leader, controller, follower, in order"
    )
    parser.add_argument("--how", choices=("kill", "stop"), default="kill")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--directory", help="where the nodes keep their data")
    return parser


if __name__ == "__main__":
    sys.exit(main())
