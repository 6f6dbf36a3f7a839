"""The part of consumers' group protocol metadata that a coordinator reads.

The metadata is opaque to the broker, except that a coordinator reads the subscribed topics, so that
it does not expire or delete the offsets of a running consumer.
"""

from __future__ import annotations

from collections.abc import Iterable

from raftka.net.protocol import codec
from raftka.net.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription


def subscribed_topics(metadata: Iterable[bytes]) -> frozenset[str] | None:
    """All topics that members with this metadata subscribe to; None if some cannot be decoded.

    Clients may send any bytes with the protocol type "consumer", so that is no error.
    """
    topics: set[str] = set()
    for data in metadata:
        try:
            subscription = codec.decode_versioned(ConsumerProtocolSubscription, data, newest=True)
        except codec.MalformedMessage:
            return None
        topics.update(subscription.topics)
    return frozenset(topics)
