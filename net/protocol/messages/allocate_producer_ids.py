"""A broker asks the controller for a block of producer ids (KIP-730).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Request, Response


class AllocateProducerIdsResponse(Response):
    API_KEY = 67
    API_NAME = "AllocateProducerIds"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "producer_id_start int64",
        "producer_id_len int32",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "producer_id_start",
        "producer_id_len",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        producer_id_start: int = 0,
        producer_id_len: int = 0,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.producer_id_start = producer_id_start
        self.producer_id_len = producer_id_len


class AllocateProducerIdsRequest(Request[AllocateProducerIdsResponse]):
    API_KEY = 67
    API_NAME = "AllocateProducerIds"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = AllocateProducerIdsResponse
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
