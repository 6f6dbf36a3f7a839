"""The state of transactional ids (KIP-664). Times in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class TopicData(Struct):
    LAYOUT = (
        "topic string",
        "partitions []int32",
    )
    __slots__ = (
        "topic",
        "partitions",
    )

    def __init__(
        self,
        *,
        topic: str = "",
        partitions: list[int] = FRESH,
    ) -> None:
        self.topic = topic
        self.partitions = [] if partitions is FRESH else partitions


class TransactionState(Struct):
    LAYOUT = (
        "error_code int16",
        "transactional_id string",
        "transaction_state string",
        "transaction_timeout int32",
        "transaction_start_time int64",
        "producer_id int64",
        "producer_epoch int16",
        "topics []TopicData",
    )
    __slots__ = (
        "error_code",
        "transactional_id",
        "transaction_state",
        "transaction_timeout",
        "transaction_start_time",
        "producer_id",
        "producer_epoch",
        "topics",
    )

    def __init__(
        self,
        *,
        error_code: int = 0,
        transactional_id: str = "",
        transaction_state: str = "",
        transaction_timeout: int = 0,
        transaction_start_time: int = 0,
        producer_id: int = 0,
        producer_epoch: int = 0,
        topics: list[TopicData] = FRESH,
    ) -> None:
        self.error_code = error_code
        self.transactional_id = transactional_id
        self.transaction_state = transaction_state
        self.transaction_timeout = transaction_timeout
        self.transaction_start_time = transaction_start_time
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.topics = [] if topics is FRESH else topics


class DescribeTransactionsResponse(Response):
    API_KEY = 65
    API_NAME = "DescribeTransactions"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "transaction_states []TransactionState",
    )
    __slots__ = (
        "throttle_time",
        "transaction_states",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        transaction_states: list[TransactionState] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.transaction_states = [] if transaction_states is FRESH else transaction_states


class DescribeTransactionsRequest(Request[DescribeTransactionsResponse]):
    API_KEY = 65
    API_NAME = "DescribeTransactions"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = DescribeTransactionsResponse
    LAYOUT = ("transactional_ids []string",)
    __slots__ = ("transactional_ids",)

    def __init__(
        self,
        *,
        transactional_ids: list[str] = FRESH,
    ) -> None:
        self.transactional_ids = [] if transactional_ids is FRESH else transactional_ids
