"""A broker's answers in every state of a transaction, to valid and invalid requests.

    python -m tests.wire.odd_transactions PORT

asks the broker at 127.0.0.1:PORT and prints a line for each answer: its fields that are not as they
begin, with producer ids counted from p0. golden/odd_transactions.txt is what Apache Kafka 4.4.0
printed (one broker, on 2026-11-30).
"""

from __future__ import annotations

import sys
import time
from typing import Any

from raftka.net.protocol.messages import add_offsets_to_txn as add_offsets
from raftka.net.protocol.messages import add_partitions_to_txn as add
from raftka.net.protocol.messages import create_topics as create
from raftka.net.protocol.messages import delete_records as cut
from raftka.net.protocol.messages import delete_topics as delete
from raftka.net.protocol.messages import find_coordinator as find
from raftka.net.protocol.messages import init_producer_id as init
from raftka.net.protocol.messages import list_transactions as listing
from raftka.net.protocol.messages import write_txn_markers as markers
from tests.wire.talk import (
    GROUP,
    PATIENCE_S,
    Talk,
    about_producers,
    begun,
    codes,
    described,
    ended,
    fetched,
    joined,
    new,
    offset_commit,
    seen,
    written,
)


def initializations(talk: Talk, topic: str) -> None:
    """InitProducerId: invalid requests, and requests in each state."""
    for timeout in (0, -1, 900_001):
        talk.say(f"init: timeout {timeout}", new(talk, "i0", timeout=timeout), 5)
    for version in (0, 3, 5):
        empty = init.InitProducerIdRequest(transactional_id="", transaction_timeout=60_000)
        talk.say(f"init: empty id, {version}", empty, version)
    talk.say("init: unknown id with producer", new(talk, "i1", (123456, 3)), 4)
    talk.say("init: producer without epoch", new(talk, "i1", (5, -1)), 4)
    talk.say("init: epoch without producer", new(talk, "i1", (-1, 5)), 4)
    for version in (3, 4, 5):
        producer = begun(talk, f"i2{version}")
        talk.say(f"init: again, {version}", new(talk, f"i2{version}"), version)
        talk.say(f"init: former epoch, {version}", new(talk, f"i2{version}", producer), version)
        later = (producer[0], producer[1] + 5)
        talk.say(f"init: later epoch, {version}", new(talk, f"i2{version}", later), version)
        other = (producer[0] + 1_000_000, producer[1])
        talk.say(f"init: other producer, {version}", new(talk, f"i2{version}", other), version)
        producer = begun(talk, f"i3{version}")
        talk.say(f"init: own epoch, {version}", new(talk, f"i3{version}", producer), version)
        producer = begun(talk, f"i4{version}")
        tid = f"i4{version}"
        talk.raw(joined(talk, tid, producer, (topic, 0)), 3)
        talk.say(f"init: while open, {version}", new(talk, tid), version)
        talk.lines[f"init: open, then, {version}"] = talk.words(
            talk.settled(new(talk, tid), version)
        )
        talk.say(f"init: former of open, {version}", new(talk, tid, producer), version)


def partitions(talk: Talk, topic: str) -> None:
    """AddPartitionsToTxn of clients and of brokers."""
    producer = begun(talk, "a")
    pid, epoch = producer
    for version in (0, 3):
        said = f", {version}"
        talk.say("add: unknown id" + said, joined(talk, "no", producer, (topic, 0)), version)
        talk.say("add: empty" + said, joined(talk, "a", producer), version)
        for name, wrong in (
            ("other producer", (pid + 1_000_000, epoch)),
            ("later epoch", (pid, epoch + 1)),
            ("former epoch", (pid, epoch - 1)),
            ("no producer", (-1, -1)),
        ):
            talk.say(f"add: {name}{said}", joined(talk, "a", wrong, (topic, 0)), version)
        talk.say("add: unknown topic" + said, joined(talk, "a", producer, ("no", 0)), version)
        both = joined(talk, "a", producer, (topic, 0), ("no", 0))
        talk.say("add: unknown and known" + said, both, version)
        talk.say("add: unknown partition" + said, joined(talk, "a", producer, (topic, 9)), version)
        internal = joined(talk, "a", producer, ("__transaction_state", 0))
        talk.say("add: internal" + said, internal, version)

    def verified(*wanted: tuple[str, tuple[int, int], bool, int]) -> Any:
        return add.AddPartitionsToTxnRequest(
            transactions=[
                add.AddPartitionsToTxnTransaction(
                    transactional_id=f"{tid}-{talk.run}",
                    producer_id=who[0],
                    producer_epoch=who[1],
                    verify_only=only,
                    topics=[add.AddPartitionsToTxnTopic(name=topic, partitions=[index])],
                )
                for tid, who, only, index in wanted
            ]
        )

    talk.raw(joined(talk, "a", producer, (topic, 0)), 3)
    for version in (4, 5):
        said = f", {version}"
        talk.say("verify: there" + said, verified(("a", producer, True, 0)), version)
        talk.say("verify: not there" + said, verified(("a", producer, True, 1)), version)
        talk.say("verify: unknown id" + said, verified(("no", producer, True, 0)), version)
        talk.say(
            "verify: two" + said,
            verified(("a", producer, True, 0), ("no", producer, True, 0)),
            version,
        )
        talk.say("verify: epoch" + said, verified(("a", (pid, epoch + 1), True, 0)), version)
        talk.say("verify: former" + said, verified(("a", (pid, epoch - 1), True, 0)), version)
        talk.say("verify: other" + said, verified(("a", (pid + 10**6, epoch), True, 0)), version)
    talk.raw(ended(talk, "a", producer), 4)


def ends(talk: Talk, topic: str) -> None:
    """EndTxn in each state, by version."""
    for version in (0, 1, 2, 3, 4, 5):
        said, tid = f", {version}", f"e{version}"
        pid, epoch = producer = begun(talk, tid)
        talk.say("end: unknown id" + said, ended(talk, "no", producer), version)
        talk.say("end: empty, commit" + said, ended(talk, tid, producer), version)
        producer = begun(talk, tid)
        talk.say("end: empty, abort" + said, ended(talk, tid, producer, commits=False), version)
        pid, epoch = producer = begun(talk, tid)
        talk.raw(joined(talk, tid, producer, (topic, 0)), 3)
        talk.say("end: other producer" + said, ended(talk, tid, (pid + 10**6, epoch)), version)
        talk.say("end: later epoch" + said, ended(talk, tid, (pid, epoch + 1)), version)
        talk.say("end: former epoch" + said, ended(talk, tid, (pid, epoch - 1)), version)
        talk.say("end: commit" + said, ended(talk, tid, producer), version)
        talk.lines["end: commit again" + said] = talk.words(
            talk.settled(ended(talk, tid, producer), version)
        )
        talk.lines["end: then abort" + said] = talk.words(
            talk.settled(ended(talk, tid, producer, commits=False), version)
        )
        producer = begun(talk, tid)
        talk.raw(joined(talk, tid, producer, (topic, 0)), 3)
        talk.say("end: abort" + said, ended(talk, tid, producer, commits=False), version)
        talk.lines["end: abort again" + said] = talk.words(
            talk.settled(ended(talk, tid, producer, commits=False), version)
        )
        talk.lines["end: then commit" + said] = talk.words(
            talk.settled(ended(talk, tid, producer), version)
        )
        talk.say("end: state" + said, described(talk, tid), 0)


def writes(talk: Talk, topic: str) -> None:
    """Produce in a transaction, its visibility to readers and tools, and open transactions."""
    producer = begun(talk, "w")
    pid, epoch = producer
    first = talk.raw(seen(topic, 0), 7).topics[0].partitions[0].offset

    def look(name: str) -> None:
        for isolation in (0, 1):
            answer = talk.raw(seen(topic, isolation), 7).topics[0].partitions[0]
            talk.lines[f"{name}: end, isolation {isolation}"] = str(answer.offset - first)

    talk.say("write: without consent, 11", written(talk, "w", producer, topic), 11)
    talk.say("write: without id, 12", written(talk, None, producer, topic), 12)
    talk.say("write: unknown id, 12", written(talk, "no", producer, topic), 12)
    talk.say("write: later epoch, 12", written(talk, "w", (pid, epoch + 1), topic), 12)
    talk.say("write: former epoch, 12", written(talk, "w", (pid, epoch - 1), topic), 12)
    look("write: nothing")
    answer = talk.raw(written(talk, "w", producer, topic), 12)
    talk.lines["write: joins, 12"] = str(codes(answer))
    look("write: open")
    for timestamp in (-2, -3, -4, 1_700_000_000_000, 0):
        for isolation in (0, 1):
            one = talk.raw(seen(topic, isolation, timestamp), 8).topics[0].partitions[0]
            talk.lines[f"write: offset of {timestamp}, {isolation}"] = (
                f"{one.error_code} {one.offset >= 0} {one.timestamp >= 0}"
            )
    talk.say("write: gap in sequences, 12", written(talk, "w", producer, topic, 5), 12)
    talk.say("write: described", described(talk, "w", "no", ""), 0)
    found = talk.raw(about_producers(topic, 0), 0).topics[0].partitions[0]
    own = [each for each in found.active_producers if each.producer_id == pid]
    talk.lines["write: its producer"] = str(
        [
            (one.producer_epoch - epoch, one.last_sequence, one.current_txn_start_offset - first)
            for one in own
        ]
    )
    talk.say("producers: unknown partition", about_producers(topic, 77), 0)
    talk.say("producers: unknown topic", about_producers("no", 0), 0)
    one = cut.DeleteRecordsPartition(partition_index=0, offset=-1)
    wanted = cut.DeleteRecordsTopic(name=topic, partitions=[one])
    answer = talk.raw(cut.DeleteRecordsRequest(topics=[wanted], timeout=5000), 2)
    result = answer.topics[0].partitions[0]
    talk.lines["write: records deleted under it"] = (
        f"{result.error_code} {result.low_watermark - first}"
    )
    look("write: deleted")
    talk.raw(ended(talk, "w", producer), 5)
    talk.settled(ended(talk, "w", producer), 5)
    look("write: committed")
    talk.say("write: of the one before, 12", written(talk, "w", producer, topic, 1), 12)
    talk.say("write: of the one before, 11", written(talk, "w", producer, topic, 1), 11)


def positions(talk: Talk, topic: str) -> None:
    """Offsets of groups in transactions."""
    pid, epoch = producer = begun(talk, "o")

    def adds(who: tuple[int, int], tid: str = "o", group: str = GROUP) -> Any:
        return add_offsets.AddOffsetsToTxnRequest(
            transactional_id=f"{tid}-{talk.run}",
            producer_id=who[0],
            producer_epoch=who[1],
            group_id=group,
        )

    wrong = {
        "unknown id": ("no", producer),
        "later epoch": ("o", (pid, epoch + 1)),
        "former epoch": ("o", (pid, epoch - 1)),
        "other producer": ("o", (pid + 10**6, epoch)),
    }
    for name, (tid, who) in wrong.items():
        for version in (1, 4):
            talk.say(f"offsets: add, {name}, {version}", adds(who, tid), version)
        for version in (4, 5):
            wanted = offset_commit(talk, tid, who, topic)
            talk.say(f"offsets: commit, {name}, {version}", wanted, version)
    talk.say("offsets: empty group", adds(producer, group=""), 4)
    talk.say("offsets: commit, no group", offset_commit(talk, "o", producer, topic, group_id=""), 5)
    stale: dict[str, dict[str, Any]] = {
        "member": {"member_id": "nobody"},
        "generation": {"generation_id": 3},
        "member and generation": {"member_id": "nobody", "generation_id": 3},
        "instance": {"member_id": "nobody", "generation_id": 3, "group_instance_id": "i"},
    }
    for name, fields in stale.items():
        wanted = offset_commit(talk, "o", producer, topic, **fields)
        talk.say(f"offsets: stale {name}", wanted, 5)
    talk.say("offsets: unknown topic", offset_commit(talk, "o", producer, "no"), 5)
    talk.say("offsets: before", fetched(topic, stable=True), 8)
    talk.say("offsets: committed", offset_commit(talk, "o", producer, topic), 5)
    for stable in (False, True):
        talk.say(f"offsets: pending, stable={stable}", fetched(topic, stable=stable), 8)
    talk.say("offsets: described", described(talk, "o"), 0)
    talk.raw(ended(talk, "o", producer), 5)
    talk.settled(ended(talk, "o", producer), 5)
    deadline = time.monotonic() + 10
    while 88 in codes(talk.raw(fetched(topic, stable=True), 8)):
        if time.monotonic() > deadline:
            break
    for stable in (False, True):
        talk.say(f"offsets: after, stable={stable}", fetched(topic, stable=stable), 8)


def lists(talk: Talk, topic: str) -> None:
    """ListTransactions with filters."""
    producer = begun(talk, "l")
    talk.raw(joined(talk, "l", producer, (topic, 0)), 3)
    empty = begun(talk, "lempty")
    mine = f".*-{talk.run}"

    def asked(**fields: Any) -> Any:
        return listing.ListTransactionsRequest(**fields)

    both = [producer[0], empty[0]]
    talk.say("list: by producer", asked(producer_id_filters=both), 0)
    talk.say("list: ongoing", asked(producer_id_filters=both, state_filters=["Ongoing"]), 0)
    talk.say("list: lower case", asked(producer_id_filters=both, state_filters=["ongoing"]), 0)
    odd = ["Nonsense", "Dead", "Empty"]
    talk.say("list: odd states", asked(producer_id_filters=both, state_filters=odd), 0)
    talk.say("list: only odd", asked(producer_id_filters=both, state_filters=["x", ""]), 0)
    talk.say("list: long ones", asked(producer_id_filters=both, duration_filter=3_600_000), 1)
    talk.say("list: of all durations", asked(producer_id_filters=both, duration_filter=0), 1)
    for name, pattern in {
        "all": mine,
        "l": f"l-{talk.run}",
        "prefix": "l",
        "empty": "",
        "wrong": "(",
        "possessive": "l*+-.*",
        "look behind": "(?<=x)l",
    }.items():
        wanted = asked(producer_id_filters=both, transactional_id_pattern=pattern)
        talk.say(f"list: pattern {name}", wanted, 2)
    talk.say("list: nobody", asked(producer_id_filters=[10**12]), 2)
    talk.raw(ended(talk, "l", producer), 4)


def marks(talk: Talk, topic: str) -> None:
    """WriteTxnMarkers, as kafka-transactions abort sends it."""

    def marked(name: str, index: int, who: tuple[int, int], coordinator: int = -1) -> Any:
        where = markers.WritableTxnMarkerTopic(name=name, partition_indexes=[index])
        one = markers.WritableTxnMarker(
            producer_id=who[0],
            producer_epoch=who[1],
            transaction_result=False,
            topics=[where],
            coordinator_epoch=coordinator,
        )
        return markers.WriteTxnMarkersRequest(markers=[one])

    pid, epoch = producer = begun(talk, "m")
    talk.raw(joined(talk, "m", producer, (topic, 0)), 3)
    talk.raw(written(talk, "m", producer, topic), 11)
    talk.say("marker: unknown topic", marked("no", 0, producer), 1)
    talk.say("marker: unknown partition", marked(topic, 77, producer), 1)
    talk.say("marker: former epoch", marked(topic, 0, (pid, epoch - 1)), 1)
    talk.say("marker: unknown producer", marked(topic, 0, (10**9, 0)), 1)
    talk.say("marker: none", markers.WriteTxnMarkersRequest(markers=[]), 1)
    talk.say("marker: aborts", marked(topic, 0, producer), 1)
    talk.say("marker: again", marked(topic, 0, producer), 1)
    talk.raw(ended(talk, "m", producer, commits=False), 4)


def deletions(talk: Talk, topic: str) -> None:
    """A topic that goes while a transaction is open in it."""
    producer = begun(talk, "d")
    talk.raw(written(talk, "d", producer, topic), 12)
    gone = delete.DeleteTopicState(name=topic)
    talk.raw(delete.DeleteTopicsRequest(topics=[gone], timeout=10_000), 6)
    time.sleep(1)
    talk.say("gone: described", described(talk, "d"), 0)
    talk.say("gone: commit", ended(talk, "d", producer), 5)
    answer = talk.settled(new(talk, "d"), 5)
    talk.lines["gone: next"] = f"{answer.error_code} {answer.producer_epoch}"


def outcomes(port: int) -> dict[str, str]:
    """The broker's answers, by request."""
    talk = Talk(port)
    names = [f"odd-{letter}-{talk.run}" for letter in "abcd"]
    wanted = [
        create.CreatableTopic(name=name, num_partitions=2, replication_factor=1) for name in names
    ]
    talk.raw(create.CreateTopicsRequest(topics=wanted, timeout=10_000), 7)
    for kind, key in ((0, GROUP), (1, "any")):
        talk.raw(find.FindCoordinatorRequest(key=key, key_type=kind), 3)
    for name in names:
        until = time.monotonic() + PATIENCE_S
        while any(codes(talk.raw(seen(name, 0), 7))) and time.monotonic() < until:
            time.sleep(0.1)
    initializations(talk, names[0])
    partitions(talk, names[0])
    ends(talk, names[0])
    writes(talk, names[1])
    positions(talk, names[0])
    lists(talk, names[0])
    marks(talk, names[2])
    deletions(talk, names[3])
    return talk.lines


def main() -> None:
    for name, found in outcomes(int(sys.argv[1])).items():
        print(f"{name}: {found}")


if __name__ == "__main__":
    main()
