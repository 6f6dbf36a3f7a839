"""Adds partitions to a producer's transaction (KIP-98). Up to 3 from producers, for one
transaction; from 4 on from brokers, for many, which may only verify partitions (KIP-890). From 2
on the answer may be PRODUCER_FENCED, from 5 on TRANSACTION_ABORTABLE.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class AddPartitionsToTxnTopic(Struct):
    LAYOUT = (
        "name string",
        "partitions []int32",
    )
    __slots__ = (
        "name",
        "partitions",
    )

    def __init__(
        self,
        *,
        name: str = "",
        partitions: list[int] = FRESH,
    ) -> None:
        self.name = name
        self.partitions = [] if partitions is FRESH else partitions


class AddPartitionsToTxnTransaction(Struct):
    LAYOUT = (
        "transactional_id string",
        "producer_id int64",
        "producer_epoch int16",
        "verify_only bool",
        "topics []AddPartitionsToTxnTopic",
    )
    __slots__ = (
        "transactional_id",
        "producer_id",
        "producer_epoch",
        "verify_only",
        "topics",
    )

    def __init__(
        self,
        *,
        transactional_id: str = "",
        producer_id: int = 0,
        producer_epoch: int = 0,
        verify_only: bool = False,
        topics: list[AddPartitionsToTxnTopic] = FRESH,
    ) -> None:
        self.transactional_id = transactional_id
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.verify_only = verify_only
        self.topics = [] if topics is FRESH else topics


class AddPartitionsToTxnPartitionResult(Struct):
    LAYOUT = (
        "partition_index int32",
        "partition_error_code int16",
    )
    __slots__ = (
        "partition_index",
        "partition_error_code",
    )

    def __init__(
        self,
        *,
        partition_index: int = 0,
        partition_error_code: int = 0,
    ) -> None:
        self.partition_index = partition_index
        self.partition_error_code = partition_error_code


class AddPartitionsToTxnTopicResult(Struct):
    LAYOUT = (
        "name string",
        "results_by_partition []AddPartitionsToTxnPartitionResult",
    )
    __slots__ = (
        "name",
        "results_by_partition",
    )

    def __init__(
        self,
        *,
        name: str = "",
        results_by_partition: list[AddPartitionsToTxnPartitionResult] = FRESH,
    ) -> None:
        self.name = name
        self.results_by_partition = [] if results_by_partition is FRESH else results_by_partition


class AddPartitionsToTxnResult(Struct):
    LAYOUT = (
        "transactional_id string",
        "topic_results []AddPartitionsToTxnTopicResult",
    )
    __slots__ = (
        "transactional_id",
        "topic_results",
    )

    def __init__(
        self,
        *,
        transactional_id: str = "",
        topic_results: list[AddPartitionsToTxnTopicResult] = FRESH,
    ) -> None:
        self.transactional_id = transactional_id
        self.topic_results = [] if topic_results is FRESH else topic_results


class AddPartitionsToTxnResponse(Response):
    API_KEY = 24
    API_NAME = "AddPartitionsToTxn"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 3
    LAYOUT = (
        "throttle_time int32",
        "error_code int16 4+",
        "results_by_transaction []AddPartitionsToTxnResult 4+",
        "results_by_topic_v3_and_below []AddPartitionsToTxnTopicResult 0-3",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "results_by_transaction",
        "results_by_topic_v3_and_below",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        results_by_transaction: list[AddPartitionsToTxnResult] = FRESH,
        results_by_topic_v3_and_below: list[AddPartitionsToTxnTopicResult] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.results_by_transaction = (
            [] if results_by_transaction is FRESH else results_by_transaction
        )
        self.results_by_topic_v3_and_below = (
            [] if results_by_topic_v3_and_below is FRESH else results_by_topic_v3_and_below
        )


class AddPartitionsToTxnRequest(Request[AddPartitionsToTxnResponse]):
    API_KEY = 24
    API_NAME = "AddPartitionsToTxn"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 3
    RESPONSE = AddPartitionsToTxnResponse
    LAYOUT = (
        "transactions []AddPartitionsToTxnTransaction 4+",
        "v3_and_below_transactional_id string 0-3",
        "v3_and_below_producer_id int64 0-3",
        "v3_and_below_producer_epoch int16 0-3",
        "v3_and_below_topics []AddPartitionsToTxnTopic 0-3",
    )
    __slots__ = (
        "transactions",
        "v3_and_below_transactional_id",
        "v3_and_below_producer_id",
        "v3_and_below_producer_epoch",
        "v3_and_below_topics",
    )

    def __init__(
        self,
        *,
        transactions: list[AddPartitionsToTxnTransaction] = FRESH,
        v3_and_below_transactional_id: str = "",
        v3_and_below_producer_id: int = 0,
        v3_and_below_producer_epoch: int = 0,
        v3_and_below_topics: list[AddPartitionsToTxnTopic] = FRESH,
    ) -> None:
        self.transactions = [] if transactions is FRESH else transactions
        self.v3_and_below_transactional_id = v3_and_below_transactional_id
        self.v3_and_below_producer_id = v3_and_below_producer_id
        self.v3_and_below_producer_epoch = v3_and_below_producer_epoch
        self.v3_and_below_topics = [] if v3_and_below_topics is FRESH else v3_and_below_topics
