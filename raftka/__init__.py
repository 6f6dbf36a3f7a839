"""raftka: a Kafka cluster in Python that you can run, break and understand.

    from raftka import Admin, Consumer, NewTopic, Producer

The clients are native to trio. Each name is imported on first use, so that a server does not load
the clients, nor a tool the server.

Public is what this package, `raftka.testing` (real nodes in your tests) and `raftka.simulation`
(the cluster under one seed) export. All other modules of raftka are private: they may change with
any version.
"""

from raftka.model.version import __version__

TYPE_CHECKING = False  # What type checkers take for true: `typing` is slow to import.
if TYPE_CHECKING:
    from typing import Any

    from raftka.client.admin import Admin, NewTopic, SomeFailed
    from raftka.client.cluster import ClusterUnreachable
    from raftka.client.consumer import (
        CommitFailed,
        Consumer,
        ConsumerRecord,
        GroupMetadata,
        LogTruncated,
        NoOffset,
        OffsetAndMetadata,
        OffsetAndTimestamp,
        RebalanceInProgress,
        RebalanceListener,
        SubscriptionPattern,
    )
    from raftka.client.producer import (
        MustAbort,
        MustClose,
        MustRetry,
        Producer,
        ProducerFenced,
        RecordMetadata,
        TransactionError,
    )
    from raftka.client.settings import ConfigError
    from raftka.client.share import AcknowledgeType, ShareConsumer, ShareRecord
    from raftka.local_cluster import LocalCluster
    from raftka.model.errors import ErrorCode, KafkaError
    from raftka.model.ids import TopicPartition

_HOMES = {
    "AcknowledgeType": "raftka.client.share",
    "Admin": "raftka.client.admin",
    "ClusterUnreachable": "raftka.client.cluster",
    "CommitFailed": "raftka.client.consumer",
    "ConfigError": "raftka.client.settings",
    "Consumer": "raftka.client.consumer",
    "ConsumerRecord": "raftka.client.consumer",
    "ErrorCode": "raftka.model.errors",
    "KafkaError": "raftka.model.errors",
    "GroupMetadata": "raftka.client.group_offsets",
    "LocalCluster": "raftka.local_cluster",
    "LogTruncated": "raftka.client.consumer",
    "MustAbort": "raftka.client.producer",
    "MustClose": "raftka.client.producer",
    "MustRetry": "raftka.client.producer",
    "NewTopic": "raftka.client.admin",
    "NoOffset": "raftka.client.consumer",
    "OffsetAndMetadata": "raftka.client.consumer",
    "OffsetAndTimestamp": "raftka.client.consumer",
    "Producer": "raftka.client.producer",
    "ProducerFenced": "raftka.client.producer",
    "RebalanceInProgress": "raftka.client.consumer",
    "RebalanceListener": "raftka.client.consumer",
    "SubscriptionPattern": "raftka.client.consumer",
    "RecordMetadata": "raftka.client.producer",
    "ShareConsumer": "raftka.client.share",
    "ShareRecord": "raftka.client.share",
    "SomeFailed": "raftka.client.admin",
    "TopicPartition": "raftka.model.ids",
    "TransactionError": "raftka.client.producer",
}

__all__ = [
    "AcknowledgeType",
    "Admin",
    "ClusterUnreachable",
    "CommitFailed",
    "ConfigError",
    "Consumer",
    "ConsumerRecord",
    "ErrorCode",
    "GroupMetadata",
    "KafkaError",
    "LocalCluster",
    "LogTruncated",
    "MustAbort",
    "MustClose",
    "MustRetry",
    "NewTopic",
    "NoOffset",
    "OffsetAndMetadata",
    "OffsetAndTimestamp",
    "Producer",
    "ProducerFenced",
    "RebalanceInProgress",
    "RebalanceListener",
    "RecordMetadata",
    "ShareConsumer",
    "ShareRecord",
    "SomeFailed",
    "SubscriptionPattern",
    "TopicPartition",
    "TransactionError",
    "__version__",
]


def __getattr__(name: str) -> "Any":
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'raftka' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
