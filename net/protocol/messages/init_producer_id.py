"""A producer's id and epoch, for idempotence and transactions (KIP-98, KIP-360, KIP-890, KIP-939).
Version 6 is for two-phase commit, which no broker supports yet.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Request, Response


class InitProducerIdResponse(Response):
    API_KEY = 22
    API_NAME = "InitProducerId"
    VALID_VERSIONS = (0, 6)
    FLEXIBLE_FROM = 2
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "producer_id int64 = -1",
        "producer_epoch int16",
        "ongoing_txn_producer_id int64 6+ = -1",
        "ongoing_txn_producer_epoch int16 6+ = -1",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "producer_id",
        "producer_epoch",
        "ongoing_txn_producer_id",
        "ongoing_txn_producer_epoch",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        producer_id: int = -1,
        producer_epoch: int = 0,
        ongoing_txn_producer_id: int = -1,
        ongoing_txn_producer_epoch: int = -1,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.ongoing_txn_producer_id = ongoing_txn_producer_id
        self.ongoing_txn_producer_epoch = ongoing_txn_producer_epoch


class InitProducerIdRequest(Request[InitProducerIdResponse]):
    API_KEY = 22
    API_NAME = "InitProducerId"
    VALID_VERSIONS = (0, 6)
    FLEXIBLE_FROM = 2
    RESPONSE = InitProducerIdResponse
    LAYOUT = (
        "transactional_id string nullable = null",
        "transaction_timeout int32",
        "producer_id int64 3+ = -1",
        "producer_epoch int16 3+ = -1",
        "enable2_pc bool 6+",
        "keep_prepared_txn bool 6+",
    )
    __slots__ = (
        "transactional_id",
        "transaction_timeout",
        "producer_id",
        "producer_epoch",
        "enable2_pc",
        "keep_prepared_txn",
    )

    def __init__(
        self,
        *,
        transactional_id: str | None = None,
        transaction_timeout: int = 0,
        producer_id: int = -1,
        producer_epoch: int = -1,
        enable2_pc: bool = False,
        keep_prepared_txn: bool = False,
    ) -> None:
        self.transactional_id = transactional_id
        self.transaction_timeout = transaction_timeout
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.enable2_pc = enable2_pc
        self.keep_prepared_txn = keep_prepared_txn
