"""The admin client: every operation but reading and writing records.

async with Admin({"bootstrap.servers": "localhost:9092"}) as admin:
    await admin.create_topics([NewTopic("topic", partitions=3, replication_factor=3)])
"""

from raftka.client.admin.acls import (
    Acl,
    AclEntry,
    AclFilter,
    AclOperations,
    ResourcePattern,
)
from raftka.client.admin.configs import (
    Alteration,
    AlterOp,
    ConfigEntry,
    ConfigOperations,
    ConfigSource,
    Resource,
    ResourceType,
)
from raftka.client.admin.features import (
    Feature,
    FeatureOperations,
    FeatureSet,
    FeatureUpdate,
    UpgradeType,
)
from raftka.client.admin.groups import GroupDescription, GroupListing, GroupMember
from raftka.client.admin.nodes import (
    ClusterDescription,
    Node,
    NodeOperations,
    QuorumInfo,
    QuorumReplica,
)
from raftka.client.admin.outcomes import SomeFailed
from raftka.client.admin.partitions import (
    CleanerInfo,
    ElectionType,
    LogDirDescription,
    PartitionOperations,
    Reassignment,
    ReplicaInfo,
)
from raftka.client.admin.quotas import (
    QuotaEntity,
    QuotaFilter,
    QuotaMatch,
    QuotaOperations,
    QuotaType,
)
from raftka.client.admin.records import RecordOperations
from raftka.client.admin.scram import ScramOperations, ScramPassword, ScramRemoval
from raftka.client.admin.share_groups import ShareGroupOperations, ShareOffset
from raftka.client.admin.streams_groups import (
    StreamsAssignment,
    StreamsGroupDescription,
    StreamsGroupMember,
    StreamsGroupOperations,
    Subtopology,
)
from raftka.client.admin.tokens import Token, TokenOperations
from raftka.client.admin.topics import (
    CreatedTopic,
    NewTopic,
    PartitionDescription,
    TopicDescription,
    TopicListing,
    TopicOperations,
)
from raftka.client.admin.transactions import (
    AbortSpec,
    ProducerState,
    TransactionDescription,
    TransactionListing,
    TransactionOperations,
)


class Admin(
    TopicOperations,
    RecordOperations,
    ConfigOperations,
    PartitionOperations,
    NodeOperations,
    ShareGroupOperations,
    StreamsGroupOperations,
    QuotaOperations,
    TransactionOperations,
    AclOperations,
    FeatureOperations,
    ScramOperations,
    TokenOperations,
):
    """All administrative operations. Each retries until default.api.timeout.ms.

    An operation on several items raises SomeFailed when any of them failed.
    """


__all__ = [
    "AbortSpec",
    "Acl",
    "AclEntry",
    "AclFilter",
    "Admin",
    "AlterOp",
    "Alteration",
    "CleanerInfo",
    "ClusterDescription",
    "ConfigEntry",
    "ConfigSource",
    "CreatedTopic",
    "ElectionType",
    "Feature",
    "FeatureSet",
    "FeatureUpdate",
    "GroupDescription",
    "GroupListing",
    "GroupMember",
    "LogDirDescription",
    "NewTopic",
    "Node",
    "PartitionDescription",
    "ProducerState",
    "QuorumInfo",
    "QuorumReplica",
    "QuotaEntity",
    "QuotaFilter",
    "QuotaMatch",
    "QuotaType",
    "Reassignment",
    "ReplicaInfo",
    "Resource",
    "ResourcePattern",
    "ResourceType",
    "ScramPassword",
    "ScramRemoval",
    "ShareOffset",
    "SomeFailed",
    "StreamsAssignment",
    "StreamsGroupDescription",
    "StreamsGroupMember",
    "Subtopology",
    "Token",
    "TopicDescription",
    "TopicListing",
    "TransactionDescription",
    "TransactionListing",
    "UpgradeType",
]
