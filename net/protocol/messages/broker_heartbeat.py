"""A broker is alive, and learns whether it is fenced or may shut down (KIP-631, KIP-858,
KIP-1066).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response


class BrokerHeartbeatResponse(Response):
    API_KEY = 63
    API_NAME = "BrokerHeartbeat"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "is_caught_up bool",
        "is_fenced bool = true",
        "should_shut_down bool",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "is_caught_up",
        "is_fenced",
        "should_shut_down",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        is_caught_up: bool = False,
        is_fenced: bool = True,
        should_shut_down: bool = False,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.is_caught_up = is_caught_up
        self.is_fenced = is_fenced
        self.should_shut_down = should_shut_down


class BrokerHeartbeatRequest(Request[BrokerHeartbeatResponse]):
    API_KEY = 63
    API_NAME = "BrokerHeartbeat"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    RESPONSE = BrokerHeartbeatResponse
    LAYOUT = (
        "broker_id int32",
        "broker_epoch int64 = -1",
        "current_metadata_offset int64",
        "want_fence bool",
        "want_shut_down bool",
        "offline_log_dirs []uuid 1+ tag 0",
        "cordoned_log_dirs []uuid 2+ nullable tag 1 = null",
    )
    __slots__ = (
        "broker_id",
        "broker_epoch",
        "current_metadata_offset",
        "want_fence",
        "want_shut_down",
        "offline_log_dirs",
        "cordoned_log_dirs",
    )

    def __init__(
        self,
        *,
        broker_id: int = 0,
        broker_epoch: int = -1,
        current_metadata_offset: int = 0,
        want_fence: bool = False,
        want_shut_down: bool = False,
        offline_log_dirs: list[bytes] = FRESH,
        cordoned_log_dirs: list[bytes] | None = None,
    ) -> None:
        self.broker_id = broker_id
        self.broker_epoch = broker_epoch
        self.current_metadata_offset = current_metadata_offset
        self.want_fence = want_fence
        self.want_shut_down = want_shut_down
        self.offline_log_dirs = [] if offline_log_dirs is FRESH else offline_log_dirs
        self.cordoned_log_dirs = cordoned_log_dirs
