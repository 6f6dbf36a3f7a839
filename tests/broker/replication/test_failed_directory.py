"""A log directory that fails: whatever metadata follows, its replicas are not created again in
another directory, where they would be empty.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import trio

from raftka.broker.replication.placements import Placements
from raftka.kraft.delta import everything
from raftka.kraft.image import EMPTY_IMAGE, PartitionImage
from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition, Uuid
from tests.support.data_plane import Broker, World, produced


def test_a_leader_whose_directory_failed_does_not_begin_again_with_an_empty_log() -> None:
    """A follower that leaves changes the partition, whose metadata still names the leader: with a
    new log in its other directory it would lead in the same epoch, and the others would
    truncate.
    """
    world = World()
    world.add_broker(2)
    world.add_topic("logs", PartitionImage((1, 2), (1, 2), 1))
    broker = Broker(world, log_dirs="/data,/data2")
    broker.publish()
    assert produced(broker.produce("logs", b"a", acks=1).message).error_code == ErrorCode.NONE
    home = broker.replica("logs").log.directory.rpartition("/")[0]
    broker.logs.fail(home, "it smells of smoke")

    world.change("logs", isr=(1,))
    broker.publish()
    world.change("logs", leader=1, isr=(1,))
    broker.publish()
    answer = produced(broker.produce("logs", b"b", acks=1).message)
    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert broker.replicas.get("logs", 0) is None


def test_a_topic_of_the_same_name_is_another_one() -> None:
    world = World()
    world.add_topic("logs", PartitionImage((1,), (1,), 1))
    broker = Broker(world, log_dirs="/data,/data2")
    broker.publish()
    home = broker.replica("logs").log.directory.rpartition("/")[0]
    broker.logs.fail(home, "it smells of smoke")
    world.add_topic("logs", PartitionImage((1,), (1,), 1), id_=b"another".ljust(16))
    broker.publish()
    assert produced(broker.produce("logs", b"b", acks=1).message).error_code == ErrorCode.NONE


def test_a_directory_that_was_unreadable_from_the_start_keeps_its_replicas() -> None:
    """No log is created for them before a publication either: an empty log, found later together
    with the old one, might be taken for it.
    """
    world = World()
    there, away = Uuid(b"there".ljust(16)), Uuid(b"away".ljust(16))
    view = PartitionImage((1,), (1,), 1)
    world.add_topic("kept", replace(view, directories=(there,)))
    world.add_topic("lost", replace(view, directories=(away,)))
    broker = Broker(world, log_dirs="/data,/data2")
    broker.logs.fail("/data2", "it cannot be read")
    # The id of an unreadable directory is unknown.
    broker.replicas.placements = Placements(
        1, {"/data": there}, cast(Any, None), broker.clock, lambda: 1
    )
    image = world.image()
    trio.run(broker.replicas.prepare, image, everything(image, before=EMPTY_IMAGE))
    assert {each.topic for each, _ in broker.logs.hosted()} == {"kept"}
    broker.publish()
    assert broker.logs.get(TopicPartition("lost", 0)) is None
    answer = produced(broker.produce("lost", b"a", acks=1).message)
    assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert produced(broker.produce("kept", b"a", acks=1).message).error_code == ErrorCode.NONE
