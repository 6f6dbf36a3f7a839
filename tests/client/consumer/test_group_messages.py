"""The messages between members survive encoding and decoding."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raftka.client.consumer.assignors import ASSIGNORS
from raftka.client.consumer.group_messages import (
    decode_assignment,
    decode_subscription,
    encode_assignment,
    encode_subscription,
)
from raftka.model.ids import TopicPartition as TP

partitions = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 9)).map(lambda pair: TP(*pair)), unique=True
)


@given(partitions)
def test_assignments_come_back(share: list[TP]) -> None:
    assert decode_assignment(encode_assignment(share)) == sorted(share)


@given(partitions, st.integers(-1, 99))
def test_subscriptions_come_back(owned: list[TP], generation: int) -> None:
    data = encode_subscription(
        ASSIGNORS["cooperative-sticky"], ["b", "a"], owned, [], generation, "rack"
    )
    member = decode_subscription("m", "static", data)
    assert (member.topics, member.owned) == (("a", "b"), tuple(sorted(owned)))
    assert (member.generation, member.instance_id) == (generation, "static")


@given(partitions, st.integers(-1, 99))
def test_eager_members_tell_what_they_had(previous: list[TP], generation: int) -> None:
    data = encode_subscription(ASSIGNORS["sticky"], ["a"], [], previous, generation, None)
    member = decode_subscription("m", None, data, eager_sticky=True)
    assert (member.owned, member.generation) == (tuple(sorted(previous)), generation)


def test_damaged_user_data_only_makes_less_sticky() -> None:
    data = encode_subscription(ASSIGNORS["sticky"], ["a"], [], [TP("a", 1)], 3, None)
    damaged = data.replace(b"\0\1a\0\0\0\1", b"\0\xffa\0\0\0\1")
    assert decode_subscription("m", None, damaged, eager_sticky=True).topics == ("a",)


def test_no_bytes_are_no_partitions() -> None:
    assert decode_assignment(b"") == []
