"""python -m benchmarks.group_coordinator: one coordinator's commits, and how soon another has them.

Three nodes, one partition of __consumer_offsets. First commits of single offsets, several in flight
on each of some connections, for some seconds. Then groups with an offset each, a SIGKILL for their
coordinator, and the time until the next one answers with an offset. With --kafka SCRIPT the same
against Apache Kafka, by a script like the one of benchmarks.exactly_once; its nodes must have
offsets.topic.num.partitions=1, too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import trio

from benchmarks.kafka_peer import KafkaPeer, kafka_peer
from benchmarks.load import cpu_seconds
from raftka.client.admin import Admin, NewTopic
from raftka.local_cluster import LocalCluster
from raftka.model.errors import ErrorCode
from raftka.net.protocol.messages.find_coordinator import FindCoordinatorRequest
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from raftka.net.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestTopic,
    OffsetFetchResponse,
)
from raftka.testing.wire import Wire, ask

TOPIC = "work"
SETTINGS = {"offsets.topic.num.partitions": "1"}
_COMMIT_VERSION = 7
_FETCH_VERSION = 5
_FIND_VERSION = 2
_IN_FLIGHT = 50
_PATIENCE_S = 60


def commit(group: str, offset: int) -> OffsetCommitRequest:
    """A commit of a consumer that is in no group, for one partition."""
    part = OffsetCommitRequestPartition(committed_offset=offset)
    topic = OffsetCommitRequestTopic(name=TOPIC, partitions=[part])
    return OffsetCommitRequest(group_id=group, topics=[topic])


def coordinator(ports: Sequence[int]) -> int:
    """The port of the only coordinator, asked for until there is one."""
    end_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end_s:
        for port in ports:
            try:
                found = ask(port, FindCoordinatorRequest(key="g"), _FIND_VERSION)
            except OSError:
                continue
            if found.error_code == ErrorCode.NONE and found.port in ports:
                return int(found.port)
        time.sleep(0.01)
    raise SystemExit("no node says which one is the coordinator")


def wait_for_commits(port: int) -> None:
    """Commit until the coordinator has loaded its partition and accepts the commit."""
    end_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end_s:
        answer: OffsetCommitResponse = ask(port, commit("many-0", 0), _COMMIT_VERSION)
        if answer.topics[0].partitions[0].error_code == ErrorCode.NONE:
            return
        time.sleep(0.01)
    raise SystemExit("the coordinator takes no commit")


def commit_all(wires: Sequence[Wire], groups: Iterator[str], until_s: float) -> int:
    """Commit for these groups until the time is over, or there are none left; how many."""
    count = 0
    while time.monotonic() < until_s:
        sent = []
        for wire in wires:
            for _ in range(_IN_FLIGHT):
                group = next(groups, None)
                if group is None:
                    break
                wire.send(commit(group, count), _COMMIT_VERSION)
                sent.append(wire)
        for wire in sent:
            answer = wire.receive(OffsetCommitResponse, _COMMIT_VERSION)
            code = answer.topics[0].partitions[0].error_code
            if code != ErrorCode.NONE:
                raise SystemExit(f"a commit was refused: {ErrorCode(code).name}")
        if not sent:
            break
        count += len(sent)
    return count


def has_offset(port: int, group: str) -> bool:
    """Whether the node answers as coordinator, with the group's offset."""
    topic = OffsetFetchRequestTopic(name=TOPIC, partition_indexes=[0])
    request = OffsetFetchRequest(group_id=group, topics=[topic])
    try:
        answer: OffsetFetchResponse = ask(port, request, _FETCH_VERSION)
    except OSError:
        return False
    found = answer.topics[0].partitions[0] if answer.topics else None
    return answer.error_code == ErrorCode.NONE and found is not None and found.committed_offset >= 0


def measure(
    cluster: LocalCluster | KafkaPeer,
    ports: Sequence[int],
    seconds: int,
    count: int,
    connections: int,
) -> None:
    async def create() -> None:
        async with Admin({"bootstrap.servers": cluster.bootstrap}) as admin:
            await admin.create_topics([NewTopic(TOPIC, 1, 3)])

    trio.run(create)
    leader = coordinator(ports)
    wait_for_commits(leader)
    wires = [Wire(leader) for _ in range(connections)]
    pids = (
        cluster.pids
        if isinstance(cluster, KafkaPeer)
        else tuple(process.pid for process in cluster.processes.values())
    )
    same = (f"many-{number % 100}" for number in range(1 << 40))
    commit_all(wires, same, time.monotonic() + seconds)  # The JVM compiles meanwhile.
    busy_s, began_s = cpu_seconds(pids), time.monotonic()
    done = commit_all(wires, same, began_s + seconds)
    took_s, busy_s = time.monotonic() - began_s, cpu_seconds(pids) - busy_s
    print(
        f"{done / took_s:.0f} commits a second, {busy_s / done * 1e6:.0f} us of CPU each (3 nodes)"
    )
    names = (f"group-{number}" for number in range(count))
    made = commit_all(wires, names, time.monotonic() + 10 * _PATIENCE_S)
    for wire in wires:
        wire.close()
    cluster.kill(ports.index(leader) + 1)
    killed_s = time.monotonic()
    others = [port for port in ports if port != leader]
    while not any(has_offset(port, f"group-{made - 1}") for port in others):
        if time.monotonic() - killed_s > _PATIENCE_S:
            raise SystemExit("no other node has become the coordinator")
        time.sleep(0.01)
    print(f"{made} groups: answered {time.monotonic() - killed_s:.2f} s after the coordinator died")


@contextmanager
def own_cluster() -> Iterator[LocalCluster]:
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCluster(Path(directory), nodes=3, settings=SETTINGS) as cluster,
    ):
        cluster.start()
        yield cluster


def main(argv: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=5)
    options.add_argument("--groups", type=int, default=10_000)
    options.add_argument("--connections", type=int, default=4)
    options.add_argument("--kafka", metavar="SCRIPT", help="measure Apache Kafka as well")
    found = options.parse_args(argv)
    figures = found.seconds, found.groups, found.connections
    with own_cluster() as cluster:
        print("raftka")
        measure(cluster, list(cluster.ports.values()), *figures)
    if found.kafka:
        with kafka_peer(found.kafka, 3) as peer:
            print("Apache Kafka")
            ports = [int(each.rpartition(":")[2]) for each in peer.bootstrap.split(",")]
            measure(peer, ports, *figures)


if __name__ == "__main__":
    main()
