"""A partition leader asks the controller for a new ISR (KIP-497, KIP-841, KIP-903). From 3 on each
member comes with its broker epoch. Kafka's TopicData and PartitionData are prefixed with Request
or Response here.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class BrokerState(Struct):
    LAYOUT = (
        "broker_id int32",
        "broker_epoch int64 = -1",
    )
    __slots__ = (
        "broker_id",
        "broker_epoch",
    )

    def __init__(
        self,
        *,
        broker_id: int = 0,
        broker_epoch: int = -1,
    ) -> None:
        self.broker_id = broker_id
        self.broker_epoch = broker_epoch


class RequestPartitionData(Struct):
    LAYOUT = (
        "partition_index int32",
        "leader_epoch int32",
        "new_isr []int32 2",
        "new_isr_with_epochs []BrokerState 3+",
        "leader_recovery_state int8",
        "partition_epoch int32",
    )
    __slots__ = (
        "partition_index",
        "leader_epoch",
        "new_isr",
        "new_isr_with_epochs",
        "leader_recovery_state",
        "partition_epoch",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        leader_epoch: int = 0,
        new_isr: list[int] = FRESH,
        new_isr_with_epochs: list[BrokerState] = FRESH,
        leader_recovery_state: int = 0,
        partition_epoch: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.leader_epoch = leader_epoch
        self.new_isr = [] if new_isr is FRESH else new_isr
        self.new_isr_with_epochs = [] if new_isr_with_epochs is FRESH else new_isr_with_epochs
        self.leader_recovery_state = leader_recovery_state
        self.partition_epoch = partition_epoch


class RequestTopicData(Struct):
    LAYOUT = (
        "topic_id uuid",
        "partitions []RequestPartitionData",
    )
    __slots__ = (
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        partitions: list[RequestPartitionData] = FRESH,
    ) -> None:
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class ResponsePartitionData(Struct):
    LAYOUT = (
        "partition_index int32",
        "error_code int16",
        "leader_id int32",
        "leader_epoch int32",
        "isr []int32",
        "leader_recovery_state int8",
        "partition_epoch int32",
    )
    __slots__ = (
        "partition_index",
        "error_code",
        "leader_id",
        "leader_epoch",
        "isr",
        "leader_recovery_state",
        "partition_epoch",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        error_code: int = 0,
        leader_id: int = 0,
        leader_epoch: int = 0,
        isr: list[int] = FRESH,
        leader_recovery_state: int = 0,
        partition_epoch: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.error_code = error_code
        self.leader_id = leader_id
        self.leader_epoch = leader_epoch
        self.isr = [] if isr is FRESH else isr
        self.leader_recovery_state = leader_recovery_state
        self.partition_epoch = partition_epoch


class ResponseTopicData(Struct):
    LAYOUT = (
        "topic_id uuid",
        "partitions []ResponsePartitionData",
    )
    __slots__ = (
        "topic_id",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic_id: bytes = bytes(16),
        partitions: list[ResponsePartitionData] = FRESH,
    ) -> None:
        self.topic_id = topic_id
        self.partitions = [] if partitions is FRESH else partitions


class AlterPartitionResponse(Response):
    API_KEY = 56
    API_NAME = "AlterPartition"
    VALID_VERSIONS = (2, 3)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "topics []ResponseTopicData",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "topics",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        topics: list[ResponseTopicData] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.topics = [] if topics is FRESH else topics


class AlterPartitionRequest(Request[AlterPartitionResponse]):
    API_KEY = 56
    API_NAME = "AlterPartition"
    VALID_VERSIONS = (2, 3)
    FLEXIBLE_FROM = 2
    RESPONSE = AlterPartitionResponse
    LAYOUT = (
        "broker_id int32",
        "broker_epoch int64 = -1",
        "topics []RequestTopicData",
    )
    __slots__ = (
        "broker_id",
        "broker_epoch",
        "topics",
    )

    def __init__(
        self,
        *,
        broker_id: int = 0,
        broker_epoch: int = -1,
        topics: list[RequestTopicData] = FRESH,
    ) -> None:
        self.broker_id = broker_id
        self.broker_epoch = broker_epoch
        self.topics = [] if topics is FRESH else topics
