"""Members of share groups (KIP-932): see consumer.py."""

from raftka.client.share.acknowledgements import AcknowledgeType
from raftka.client.share.consumer import ShareConsumer, ShareRecord

__all__ = ["AcknowledgeType", "ShareConsumer", "ShareRecord"]
