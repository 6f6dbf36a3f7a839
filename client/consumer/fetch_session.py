"""A fetch session: only what changed travels (KIP-227). Pure.

The broker remembers what was asked for. Each request names the session and its next epoch, the
partitions whose wishes changed, and those to forget; each answer holds the partitions that have
news. An error puts the session back to its beginning: a full request with epoch 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from raftka.model.errors import ErrorCode
from raftka.model.ids import TopicPartition

_INITIAL_EPOCH = 0
_EPOCH_MAX = 2**31 - 1


class Wish(NamedTuple):
    """What is asked of one partition."""

    topic_id: bytes
    fetch_offset: int
    current_leader_epoch: int
    last_fetched_epoch: int
    partition_max_bytes: int


class SessionRequest(NamedTuple):
    """What the next Fetch has to say so that the broker knows what is wanted (KIP-227)."""

    session_id: int
    session_epoch: int
    wishes: Mapping[TopicPartition, Wish]
    """New or changed ones; in a full request all."""
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
            # An id with epoch 0 tells the broker to replace that session.
            return SessionRequest(self._id, _INITIAL_EPOCH, dict(wishes), {})
        changed = {target: wish for target, wish in wishes.items() if known.get(target) != wish}
        forgotten = {target: old.topic_id for target, old in known.items() if target not in wishes}
        # A topic made anew under the old name is another topic: forget the old one.
        for target, wish in changed.items():
            old = known.get(target)
            if old is not None and old.topic_id != wish.topic_id:
                forgotten[target] = old.topic_id
        return SessionRequest(self._id, self._epoch, changed, forgotten)

    def answered(self, error_code: int, session_id: int) -> None:
        """Take note of an answer's error and session id."""
        if error_code != ErrorCode.NONE:
            if error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND:
                self._id = 0
            self.restart()
        elif session_id == 0:
            # The broker keeps no session for us: ask for everything each time.
            self._id = 0
            self.restart()
        else:
            self._id = session_id
            self._epoch = 1 if self._epoch >= _EPOCH_MAX else self._epoch + 1

    def restart(self) -> None:
        """The next request is a full one; after a request without an answer, too."""
        self._epoch = _INITIAL_EPOCH
        self._known = {}
