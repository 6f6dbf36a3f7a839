"""Adds a group's offsets to a producer's transaction (KIP-98): its partition of __consumer_offsets.
From 2 on the answer may be PRODUCER_FENCED, from 4 on TRANSACTION_ABORTABLE (KIP-890).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Request, Response


class AddOffsetsToTxnResponse(Response):
    API_KEY = 25
    API_NAME = "AddOffsetsToTxn"
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 3
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code


class AddOffsetsToTxnRequest(Request[AddOffsetsToTxnResponse]):
    API_KEY = 25
    API_NAME = "AddOffsetsToTxn"
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 3
    RESPONSE = AddOffsetsToTxnResponse
    LAYOUT = (
        "transactional_id string",
        "producer_id int64",
        "producer_epoch int16",
        "group_id string",
    )
    __slots__ = (
        "transactional_id",
        "producer_id",
        "producer_epoch",
        "group_id",
    )

    def __init__(
        self,
        *,
        transactional_id: str = "",
        producer_id: int = 0,
        producer_epoch: int = 0,
        group_id: str = "",
    ) -> None:
        self.transactional_id = transactional_id
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.group_id = group_id
