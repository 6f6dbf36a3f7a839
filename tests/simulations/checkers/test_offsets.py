"""Committed offsets and producer ids in answers: each check reports a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from raftka.net.protocol.messages.allocate_producer_ids import (
    AllocateProducerIdsRequest,
    AllocateProducerIdsResponse,
)
from raftka.net.protocol.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
)
from raftka.net.protocol.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from raftka.net.protocol.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)
from raftka.simulations.checkers.identities import ProducerIds
from raftka.simulations.checkers.offsets import CommittedOffsets
from raftka.simulations.observers.kafka_wire import Watched
from raftka.simulations.violation import NOTHING, About

ILLEGAL_GENERATION = 22
NOT_AVAILABLE = 15


class Group:
    """Commits and fetches of one partition, begun and answered in any order."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.log_end = 7
        self.stored: list[int] = []
        """Where the log ended when each of the commits was sent that were acknowledged."""
        self.watched = Watched()
        self.checker = CommittedOffsets(
            self.watched,
            self.report,
            is_excused=lambda group: False,
            log_end=lambda group, host: self.log_end,
            check_stored=lambda group, host, end: self.stored.append(end),
        )

    def report(self, name: str, story: str, *, about: About = NOTHING) -> None:
        assert about.group == "g"
        self.names.append(name)

    def _begin(self, request: Any, answer: Any) -> Callable[[], None]:
        for told in self.watched.requests[request.API_KEY]:
            told("c", "n1", request)

        def answered() -> None:
            for told in self.watched.answers[request.API_KEY]:
                told("c", "n1", request, answer)

        return answered

    def begin_commit(self, offset: int, error_code: int = 0) -> Callable[[], None]:
        asked = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
        request = OffsetCommitRequest(
            group_id="g",
            generation_id_or_member_epoch=1,
            member_id="m",
            topics=[OffsetCommitRequestTopic(name="t", partitions=[asked])],
        )
        part = OffsetCommitResponsePartition(partition_index=0, error_code=error_code)
        topic = OffsetCommitResponseTopic(name="t", partitions=[part])
        return self._begin(request, OffsetCommitResponse(topics=[topic]))

    def begin_fetch(self, offset: int) -> Callable[[], None]:
        wanted = OffsetFetchRequestTopics(name="t", partition_indexes=[0])
        request = OffsetFetchRequest(
            groups=[OffsetFetchRequestGroup(group_id="g", topics=[wanted])]
        )
        part = OffsetFetchResponsePartitions(partition_index=0, committed_offset=offset)
        topic = OffsetFetchResponseTopics(name="t", partitions=[part])
        found = OffsetFetchResponseGroup(group_id="g", topics=[topic])
        return self._begin(request, OffsetFetchResponse(groups=[found]))

    def commit(self, offset: int, error_code: int = 0) -> None:
        self.begin_commit(offset, error_code)()

    def fetch(self, offset: int) -> list[str]:
        self.begin_fetch(offset)()
        return self.names


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Group:
    monkeypatch.setattr("trio.current_time", lambda: 1.0)
    return Group()


def test_what_was_committed_last_is_found(group: Group) -> None:
    assert group.fetch(-1) == []
    group.commit(5)
    group.commit(3)
    assert group.fetch(3) == []
    assert group.checker.looks.checks == 2


@pytest.mark.parametrize("told", [-1, 4, 6])
def test_an_acknowledged_commit_that_is_not_found(group: Group, told: int) -> None:
    group.commit(5)
    assert group.fetch(told) == ["committed-offset-lost"]


def test_an_earlier_commit_comes_back(group: Group) -> None:
    group.commit(4)
    group.commit(5)
    assert group.fetch(4) == ["committed-offset-lost"]


def test_a_commit_that_nobody_was_told_of_may_be_found_or_not(group: Group) -> None:
    group.commit(4)
    group.commit(5, NOT_AVAILABLE)
    assert group.fetch(5) == group.fetch(4) == []


def test_what_is_acknowledged_is_looked_for_behind_where_the_log_ended(group: Group) -> None:
    answer = group.begin_commit(4)
    group.log_end = 8
    answer()
    group.commit(5, NOT_AVAILABLE)
    assert group.stored == [7]


def test_a_refused_commit_is_not_found(group: Group) -> None:
    group.commit(4)
    group.commit(5, ILLEGAL_GENERATION)
    assert group.fetch(4) == []
    assert group.fetch(5) == ["committed-offset-lost"]


def test_of_two_commits_at_a_time_either_may_be_the_last(group: Group) -> None:
    first, second = group.begin_commit(4), group.begin_commit(5)
    second()
    first()
    assert group.fetch(4) == group.fetch(5) == []


def test_what_was_right_when_it_was_asked_is_right(group: Group) -> None:
    group.commit(4)
    answer = group.begin_fetch(4)
    group.commit(5)
    answer()
    assert group.names == []


def test_offsets_of_a_deleted_topic_are_nobodys(group: Group) -> None:
    group.commit(4)
    group.checker.forget("t")
    assert group.fetch(-1) == group.fetch(4) == []


class Ids:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.watched = Watched()
        self.checker = ProducerIds(self.watched, lambda name, story: self.names.append(name))

    def _answer(self, client: str, request: Any, answer: Any) -> list[str]:
        for told in self.watched.answers[request.API_KEY]:
            told(client, "n1", request, answer)
        return self.names

    def give(self, client: str, number: int, epoch: int = 0) -> list[str]:
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout=1)
        answer = InitProducerIdResponse(error_code=0, producer_id=number, producer_epoch=epoch)
        return self._answer(client, request, answer)

    def allocate(self, client: str, first: int, count: int = 10) -> list[str]:
        answer = AllocateProducerIdsResponse(
            error_code=0, producer_id_start=first, producer_id_len=count
        )
        return self._answer(client, AllocateProducerIdsRequest(broker_id=1), answer)


def test_producer_ids_that_are_all_different() -> None:
    ids = Ids()
    assert ids.allocate("n1", 0) == ids.allocate("n2", 10) == []
    assert ids.give("p0", 0) == ids.give("p1", 10) == ids.give("p0", 0, epoch=1) == []
    assert ids.checker.looks.checks == 5


def test_a_producer_id_that_is_given_twice() -> None:
    ids = Ids()
    ids.give("p0", 3)
    assert ids.give("p1", 3) == ["producer-ids-given-twice"]


@pytest.mark.parametrize("first", [0, 9])
def test_a_block_of_producer_ids_that_is_given_twice(first: int) -> None:
    ids = Ids()
    ids.allocate("n1", 0)
    assert ids.allocate("n2", first) == ["producer-ids-given-twice"]
