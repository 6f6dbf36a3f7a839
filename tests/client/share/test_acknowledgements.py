"""A share group member's acknowledgements, in the form for the broker."""

from __future__ import annotations

import pytest

from raftka.client.config import share_consumer_config
from raftka.client.settings import ConfigError
from raftka.client.share.acknowledgements import GAP, Acknowledgements, AcknowledgeType, Said
from raftka.client.share.sessions import BrokerSession, Wish

TOPIC = bytes(15) + b"\x01"
ACCEPT, RELEASE, RENEW = AcknowledgeType.ACCEPT, AcknowledgeType.RELEASE, AcknowledgeType.RENEW


def test_what_is_said_of_neighbours_is_one_batch() -> None:
    said = Acknowledgements()
    said.deliver(range(8), missing=[8])
    for offset in (0, 1, 2, 5):
        assert said.say(offset, ACCEPT)
    assert said.say(6, RELEASE)
    assert said.take() == [
        Said(0, 2, (ACCEPT,)),
        Said(5, 6, (ACCEPT, RELEASE)),
        Said(8, 8, (GAP,)),
    ]
    assert not said
    assert said.open_offsets == [3, 4, 7]


def test_only_what_is_held_can_be_acknowledged_and_once() -> None:
    said = Acknowledgements()
    said.deliver([4], missing=[])
    assert not said.say(5, ACCEPT)
    assert said.say(4, ACCEPT)
    assert not said.say(4, RELEASE)


def test_a_renewed_record_can_be_acknowledged_later() -> None:
    said = Acknowledgements()
    said.deliver([4], missing=[])
    assert said.say(4, RENEW)
    assert said.say(4, ACCEPT)


def test_a_session_names_partitions_once() -> None:
    session = BrokerSession(1, "g", "m")
    wish = Wish(500, 1, 100, 10, strict=True)
    first = session.fetch([(TOPIC, 0), (TOPIC, 1)], {}, wish)
    assert (first.share_session_epoch, first.share_acquire_mode) == (0, 1)
    assert [each.partition_index for each in first.topics[0].partitions] == [0, 1]
    session.answered()
    second = session.fetch([(TOPIC, 1), (TOPIC, 2)], {}, wish)
    assert second.share_session_epoch == 1
    assert [each.partition_index for each in second.topics[0].partitions] == [2]
    assert second.forgotten_topics_data[0].partitions == [0]
    session.lost()
    assert session.fetch([(TOPIC, 1)], {}, wish).share_session_epoch == 0


def test_a_session_ends_with_what_was_said() -> None:
    session = BrokerSession(1, "g", "m")
    request = session.acknowledge({(TOPIC, 0): [Said(3, 4, (RENEW,))]}, final=True)
    assert (request.share_session_epoch, request.is_renew_ack) == (-1, True)


def test_a_share_consumer_must_name_its_group() -> None:
    with pytest.raises(ConfigError, match=r"group\.id"):
        share_consumer_config({"bootstrap.servers": "h:1"})
