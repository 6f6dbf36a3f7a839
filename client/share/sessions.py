"""A member's share session with one broker: fetches and acknowledgements (KIP-932)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import trio

from raftka.client.share.acknowledgements import AcknowledgeType, Said
from raftka.net.protocol.messages import share_acknowledge as acknowledging
from raftka.net.protocol.messages import share_fetch as fetching

Place = tuple[bytes, int]
"""(topic id, partition)"""

INITIAL_EPOCH = 0
FINAL_EPOCH = -1
_MAX_EPOCH = 2**31 - 1


class Wish(NamedTuple):
    """The limits of a fetch."""

    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    max_records: int
    strict: bool


class BrokerSession:
    """The session with one broker. Its requests follow each other: take `turn` for each."""

    def __init__(self, node_id: int, group_id: str, member_id: str) -> None:
        self.node_id = node_id
        self.turn = trio.Lock()
        self.epoch = INITIAL_EPOCH
        self.retry_at_s = 0.0
        self.failures = 0
        self.is_fetching = False
        self._group_id = group_id
        self._member_id = member_id
        self._known: set[Place] = set()

    def answered(self) -> None:
        """The broker has accepted a request: the next one has the next epoch."""
        self.epoch = 1 if self.epoch == _MAX_EPOCH else self.epoch + 1

    def lost(self) -> None:
        """The broker has no such session: begin it again."""
        self.epoch = INITIAL_EPOCH
        self._known.clear()

    def fetch(
        self, places: Iterable[Place], said: Mapping[Place, list[Said]], wish: Wish
    ) -> fetching.ShareFetchRequest:
        """The next fetch; one that begins the session carries no acknowledgements."""
        wanted = set(places)
        named = (wanted - self._known) | set(said)
        gone = self._known - wanted
        self._known = wanted | set(said) - gone
        return fetching.ShareFetchRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            share_session_epoch=self.epoch,
            max_wait=wish.max_wait_ms,
            min_bytes=wish.min_bytes,
            max_bytes=wish.max_bytes,
            max_records=wish.max_records,
            batch_size=wish.max_records,
            share_acquire_mode=int(wish.strict),
            topics=[
                fetching.FetchTopic(
                    topic_id=topic_id,
                    partitions=[
                        fetching.FetchPartition(
                            partition_index=index,
                            acknowledgement_batches=[
                                fetching.AcknowledgementBatch(
                                    first_offset=each.first,
                                    last_offset=each.last,
                                    acknowledge_types=list(each.types),
                                )
                                for each in said.get((topic_id, index), ())
                            ],
                        )
                        for index in some
                    ],
                )
                for topic_id, some in _by_topic(named).items()
            ],
            forgotten_topics_data=[
                fetching.ForgottenTopic(topic_id=topic_id, partitions=some)
                for topic_id, some in _by_topic(gone).items()
            ],
        )

    def acknowledge(
        self, said: Mapping[Place, list[Said]], *, final: bool = False
    ) -> acknowledging.ShareAcknowledgeRequest:
        """The next acknowledgement without a fetch; `final` ends the session."""
        return acknowledging.ShareAcknowledgeRequest(
            group_id=self._group_id,
            member_id=self._member_id,
            share_session_epoch=FINAL_EPOCH if final else self.epoch,
            is_renew_ack=any(
                AcknowledgeType.RENEW in each.types for some in said.values() for each in some
            ),
            topics=[
                acknowledging.AcknowledgeTopic(
                    topic_id=topic_id,
                    partitions=[
                        acknowledging.AcknowledgePartition(
                            partition_index=index,
                            acknowledgement_batches=[
                                acknowledging.AcknowledgementBatch(
                                    first_offset=each.first,
                                    last_offset=each.last,
                                    acknowledge_types=list(each.types),
                                )
                                for each in said[topic_id, index]
                            ],
                        )
                        for index in some
                    ],
                )
                for topic_id, some in _by_topic(said).items()
            ],
        )


def _by_topic(places: Iterable[Place]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for topic_id, index in sorted(places):
        found.setdefault(topic_id, []).append(index)
    return found
