"""The transactional ids that a broker coordinates (KIP-664). From 1 on filtered by a minimal
duration in ms (KIP-994), from 2 on by a regular expression (KIP-1152).

Written by `python -m raftka.net.protocol.generate` from schema/: change those texts, not this.
"""

from __future__ import annotations

from raftka.net.protocol.message import FRESH, Request, Response, Struct


class ListedTransaction(Struct):
    LAYOUT = (
        "transactional_id string",
        "producer_id int64",
        "transaction_state string",
    )
    __slots__ = (
        "transactional_id",
        "producer_id",
        "transaction_state",
    )

    def __init__(
        self,
        *,
        transactional_id: str = "",
        producer_id: int = 0,
        transaction_state: str = "",
    ) -> None:
        self.transactional_id = transactional_id
        self.producer_id = producer_id
        self.transaction_state = transaction_state


class ListTransactionsResponse(Response):
    API_KEY = 66
    API_NAME = "ListTransactions"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    LAYOUT = (
        "throttle_time int32",
        "error_code int16",
        "unknown_state_filters []string",
        "transaction_states []ListedTransaction",
    )
    __slots__ = (
        "throttle_time",
        "error_code",
        "unknown_state_filters",
        "transaction_states",
    )

    def __init__(
        self,
        *,
        throttle_time: int = 0,
        error_code: int = 0,
        unknown_state_filters: list[str] = FRESH,
        transaction_states: list[ListedTransaction] = FRESH,
    ) -> None:
        self.throttle_time = throttle_time
        self.error_code = error_code
        self.unknown_state_filters = [] if unknown_state_filters is FRESH else unknown_state_filters
        self.transaction_states = [] if transaction_states is FRESH else transaction_states


class ListTransactionsRequest(Request[ListTransactionsResponse]):
    API_KEY = 66
    API_NAME = "ListTransactions"
    VALID_VERSIONS = (0, 2)
    FLEXIBLE_FROM = 0
    RESPONSE = ListTransactionsResponse
    LAYOUT = (
        "state_filters []string",
        "producer_id_filters []int64",
        "duration_filter int64 1+ = -1",
        "transactional_id_pattern string 2+ nullable = null",
    )
    __slots__ = (
        "state_filters",
        "producer_id_filters",
        "duration_filter",
        "transactional_id_pattern",
    )

    def __init__(
        self,
        *,
        state_filters: list[str] = FRESH,
        producer_id_filters: list[int] = FRESH,
        duration_filter: int = -1,
        transactional_id_pattern: str | None = None,
    ) -> None:
        self.state_filters = [] if state_filters is FRESH else state_filters
        self.producer_id_filters = [] if producer_id_filters is FRESH else producer_id_filters
        self.duration_filter = duration_filter
        self.transactional_id_pattern = transactional_id_pattern
