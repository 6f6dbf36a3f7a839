"""A fetch session: requests and responses have only changes (KIP-227). Pure.

The broker remembers the partitions. Each request names the session and its next epoch, the
partitions whose parameters changed, and those to forget; each response holds the partitions
with news. An error resets the session: the next request is a full one with epoch 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition

_INITIAL_EPOCH = 0
_EPOCH_MAX = 2**31 - 1


class Wish(NamedTuple):
    """The fetch parameters of one partition."""

    topic_id: bytes
    fetch_offset: int
    current_leader_epoch: int
    last_fetched_epoch: int
    partition_max_bytes: int


class SessionRequest(NamedTuple):
    """The session's fields of the next Fetch (KIP-227)."""

    session_id: int
    session_epoch: int
    wishes: Mapping[TopicPartition, Wish]
    """New or changed partitions; in a full request all."""
    forgotten: Mapping[TopicPartition, bytes]
    """Partitions to drop, with their topic ids."""


class FetchSession:
    """One session with one broker; one request at a time."""

    def __init__(self) -> None:
        self._id = 0
        self._epoch = _INITIAL_EPOCH
        self._known: dict[TopicPartition, Wish] = {}

    def request(self, wishes: Mapping[TopicPartition, Wish]) -> SessionRequest:
        """The request after which the session holds exactly `wishes`."""
        known, self._known = self._known, dict(wishes)
        if self._epoch == _INITIAL_EPOCH:
            # An id with epoch 0 asks the broker to replace that session.
            return SessionRequest(self._id, _INITIAL_EPOCH, dict(wishes), {})
        changed = {target: wish for target, wish in wishes.items() if known.get(target) != wish}
        forgotten = {target: old.topic_id for target, old in known.items() if target not in wishes}
        # A topic created again under the old name is another topic: forget the old one.
        for target, wish in changed.items():
            old = known.get(target)
            if old is not None and old.topic_id != wish.topic_id:
                forgotten[target] = old.topic_id
        return SessionRequest(self._id, self._epoch, changed, forgotten)

    def answered(self, error_code: int, session_id: int) -> None:
        """Take a response's error and session id into account."""
        if error_code != ErrorCode.NONE:
            if error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND:
                self._id = 0
            self.restart()
        elif session_id == 0:
            # The broker keeps no session for this consumer: send full requests.
            self._id = 0
            self.restart()
        else:
            self._id = session_id
            self._epoch = 1 if self._epoch >= _EPOCH_MAX else self._epoch + 1

    def restart(self) -> None:
        """Make the next request a full one; also after a request without a response."""
        self._epoch = _INITIAL_EPOCH
        self._known = {}
