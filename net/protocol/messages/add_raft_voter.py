"""Add a voter to the metadata quorum (KIP-853). From 1 on the answer need not wait for the commit
(KIP-1186). timeout in ms.

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class Listener(Struct):
    LAYOUT = (
        "name string",
        "host string",
        "port uint16",
    )
    __slots__ = (
        "name",
        "host",
        "port",
    )

    def __init__(
        self,
        *,
        name: str = "",
        host: str = "",
        port: int = 0,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port


class AddRaftVoterResponse(Response):
    API_KEY = 80
    API_NAME = "AddRaftVoter"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "error_message string nullable = null",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "error_message",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        error_message: str | None = None,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.error_message = error_message


class AddRaftVoterRequest(Request[AddRaftVoterResponse]):
    API_KEY = 80
    API_NAME = "AddRaftVoter"
    VALID_VERSIONS = (0, 1)
    FLEXIBLE_FROM = 0
    RESPONSE = AddRaftVoterResponse
    LAYOUT = (
        "cluster_id string nullable = null",
        "timeout int32",
        "voter_id int32",
        "voter_directory_id uuid",
        "listeners []Listener",
        "ack_when_committed bool 1+ = true",
    )
    __slots__ = (
        "cluster_id",
        "timeout",
        "voter_id",
        "voter_directory_id",
        "listeners",
        "ack_when_committed",
    )

    def __init__(
        self,
        *,
        cluster_id: str | None = None,
        timeout: int = 0,
        voter_id: int = 0,
        voter_directory_id: bytes = bytes(16),
        listeners: list[Listener] = FRESH,
        ack_when_committed: bool = True,
    ) -> None:
        self.cluster_id = cluster_id
        self.timeout = timeout
        self.voter_id = voter_id
        self.voter_directory_id = voter_directory_id
        self.listeners = [] if listeners is FRESH else listeners
        self.ack_when_committed = ack_when_committed
