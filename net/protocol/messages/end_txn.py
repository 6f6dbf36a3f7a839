"""A producer commits or aborts its transaction (KIP-98). From 2 on the answer may be
PRODUCER_FENCED, from 4 on TRANSACTION_ABORTABLE; from 5 on the epoch is bumped with each
transaction, and the answer has the producer's next id and epoch (KIP-890).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Request, Response


class EndTxnResponse(Response):
    API_KEY = 26
    API_NAME = "EndTxn"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 3
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "producer_id int64 5+ = -1",
        "producer_epoch int16 5+ = -1",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "producer_id",
        "producer_epoch",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        producer_id: int = -1,
        producer_epoch: int = -1,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch


class EndTxnRequest(Request[EndTxnResponse]):
    API_KEY = 26
    API_NAME = "EndTxn"
    VALID_VERSIONS = (0, 5)
    FLEXIBLE_FROM = 3
    RESPONSE = EndTxnResponse
    LAYOUT = (
        "transactional_id string",
        "producer_id int64",
        "producer_epoch int16",
        "committed bool",
    )
    __slots__ = (
        "transactional_id",
        "producer_id",
        "producer_epoch",
        "committed",
    )

    def __init__(
        self,
        *,
        transactional_id: str = "",
        producer_id: int = 0,
        producer_epoch: int = 0,
        committed: bool = False,
    ) -> None:
        self.transactional_id = transactional_id
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.committed = committed
