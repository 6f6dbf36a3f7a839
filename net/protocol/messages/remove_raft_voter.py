"""Remove a voter from the metadata quorum (KIP-853).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import Request, Response


class RemoveRaftVoterResponse(Response):
    API_KEY = 81
    API_NAME = "RemoveRaftVoter"
    VALID_VERSIONS = (0, 0)
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


class RemoveRaftVoterRequest(Request[RemoveRaftVoterResponse]):
    API_KEY = 81
    API_NAME = "RemoveRaftVoter"
    VALID_VERSIONS = (0, 0)
    FLEXIBLE_FROM = 0
    RESPONSE = RemoveRaftVoterResponse
    LAYOUT = (
        "cluster_id string nullable = null",
        "voter_id int32",
        "voter_directory_id uuid",
    )
    __slots__ = (
        "cluster_id",
        "voter_id",
        "voter_directory_id",
    )

    def __init__(
        self,
        *,
        cluster_id: str | None = None,
        voter_id: int = 0,
        voter_directory_id: bytes = bytes(16),
    ) -> None:
        self.cluster_id = cluster_id
        self.voter_id = voter_id
        self.voter_directory_id = voter_directory_id
