"""What consumers say in the metadata of their group protocol, as far as a coordinator looks.

The bytes are the clients' business; a coordinator reads only which topics are subscribed to, so
that it does not expire or delete offsets under a running consumer.
"""

from __future__ import annotations

from collections.abc import Iterable

from raftka.net.protocol import codec
from raftka.net.protocol.messages.consumer_protocol_subscription import ConsumerProtocolSubscription


def subscribed_topics(metadata: Iterable[bytes]) -> frozenset[str] | None:
    """All topics that members with this metadata subscribe to; None when one is not readable.

    Clients may put anything there under a protocol type of "consumer", so that is no error.
    """
    topics: set[str] = set()
    for data in metadata:
        try:
            subscription = codec.decode_versioned(ConsumerProtocolSubscription, data, newest=True)
        except codec.MalformedMessage:
            return None
        topics.update(subscription.topics)
    return frozenset(topics)
