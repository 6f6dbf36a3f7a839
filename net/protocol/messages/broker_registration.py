"""A broker registers with the controller (KIP-631, KIP-858). From 3 on with its epoch before
the restart (KIP-966).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class Listener(Struct):
    LAYOUT = (
        "name string",
        "host string",
        "port uint16",
        "security_protocol int16",
    )
    __slots__ = (
        "name",
        "host",
        "port",
        "security_protocol",
    )

    def __init__(
        self,
        *,
        name: str = "",
        host: str = "",
        port: int = 0,
        security_protocol: int = 0,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.security_protocol = security_protocol


class Feature(Struct):
    LAYOUT = (
        "name string",
        "min_supported_version int16",
        "max_supported_version int16",
    )
    __slots__ = (
        "name",
        "min_supported_version",
        "max_supported_version",
    )

    def __init__(
        self,
        *,
        name: str = "",
        min_supported_version: int = 0,
        max_supported_version: int = 0,
    ) -> None:
        self.name = name
        self.min_supported_version = min_supported_version
        self.max_supported_version = max_supported_version


class BrokerRegistrationResponse(Response):
    API_KEY = 62
    API_NAME = "BrokerRegistration"
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "broker_epoch int64 = -1",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "broker_epoch",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        broker_epoch: int = -1,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.broker_epoch = broker_epoch


class BrokerRegistrationRequest(Request[BrokerRegistrationResponse]):
    API_KEY = 62
    API_NAME = "BrokerRegistration"
    VALID_VERSIONS = (0, 4)
    FLEXIBLE_FROM = 0
    RESPONSE = BrokerRegistrationResponse
    LAYOUT = (
        "broker_id int32",
        "cluster_id string",
        "incarnation_id uuid",
        "listeners []Listener",
        "features []Feature",
        "rack string nullable = null",
        "is_migrating_zk_broker bool 1+",
        "log_dirs []uuid 2+",
        "previous_broker_epoch int64 3+ = -1",
    )
    __slots__ = (
        "broker_id",
        "cluster_id",
        "incarnation_id",
        "listeners",
        "features",
        "rack",
        "is_migrating_zk_broker",
        "log_dirs",
        "previous_broker_epoch",
    )

    def __init__(
        self,
        *,
        broker_id: int = 0,
        cluster_id: str = "",
        incarnation_id: bytes = bytes(16),
        listeners: list[Listener] = FRESH,
        features: list[Feature] = FRESH,
        rack: str | None = None,
        is_migrating_zk_broker: bool = False,
        log_dirs: list[bytes] = FRESH,
        previous_broker_epoch: int = -1,
    ) -> None:
        self.broker_id = broker_id
        self.cluster_id = cluster_id
        self.incarnation_id = incarnation_id
        self.listeners = [] if listeners is FRESH else listeners
        self.features = [] if features is FRESH else features
        self.rack = rack
        self.is_migrating_zk_broker = is_migrating_zk_broker
        self.log_dirs = [] if log_dirs is FRESH else log_dirs
        self.previous_broker_epoch = previous_broker_epoch
