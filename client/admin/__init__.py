"""The admin client: every operation except reading and writing records.

async with Admin({"bootstrap.servers": "localhost:9092"}) as admin:
    await admin.create_topics([NewTopic("topic", partitions=3, replication_factor=3)])
"""

from raftka.client.admin import (
    acls,
    configs,
    features,
    groups,
    nodes,
    partitions,
    quotas,
    records,
    replicas,
    scram,
    share_groups,
    streams_groups,
    tokens,
    topics,
    transactions,
)
from raftka.client.admin.acls import (
    Acl,
    AclEntry,
    AclFilter,
    ResourcePattern,
)
from raftka.client.admin.calls import Calls
from raftka.client.admin.configs import (
    Alteration,
    AlterOp,
    ConfigEntry,
    ConfigSource,
    Resource,
    ResourceType,
)
from raftka.client.admin.features import (
    Feature,
    FeatureSet,
    FeatureUpdate,
    UpgradeType,
)
from raftka.client.admin.groups import GroupDescription, GroupListing, GroupMember
from raftka.client.admin.nodes import (
    ClusterDescription,
    Node,
    QuorumInfo,
    QuorumReplica,
)
from raftka.client.admin.outcomes import SomeFailed
from raftka.client.admin.partitions import (
    CleanerInfo,
    ElectionType,
    LogDirDescription,
    Reassignment,
    ReplicaInfo,
)
from raftka.client.admin.quotas import (
    QuotaEntity,
    QuotaFilter,
    QuotaMatch,
    QuotaType,
)
from raftka.client.admin.replicas import ReplicaRecords
from raftka.client.admin.scram import ScramPassword, ScramRemoval
from raftka.client.admin.share_groups import ShareOffset
from raftka.client.admin.streams_groups import (
    StreamsAssignment,
    StreamsGroupDescription,
    StreamsGroupMember,
    Subtopology,
)
from raftka.client.admin.tokens import Token
from raftka.client.admin.topics import (
    CreatedTopic,
    NewTopic,
    PartitionDescription,
    TopicDescription,
    TopicListing,
)
from raftka.client.admin.transactions import (
    AbortSpec,
    ProducerState,
    TransactionDescription,
    TransactionListing,
)


class Admin(Calls):
    """All administrative operations. Each retries until default.api.timeout.ms.

    An operation on several items raises SomeFailed when any of them failed. Each is a function in
    the module of its subject, whose first argument, `admin`, is this object.
    """

    # Topics

    create_topics = topics.create_topics
    delete_topics = topics.delete_topics
    delete_topics_by_id = topics.delete_topics_by_id
    list_topics = topics.list_topics
    describe_topics = topics.describe_topics
    describe_topics_by_id = topics.describe_topics_by_id
    create_partitions = topics.create_partitions

    # Records

    delete_records = records.delete_records

    # Settings

    describe_configs = configs.describe_configs
    incremental_alter_configs = configs.incremental_alter_configs
    alter_configs = configs.alter_configs
    list_config_resources = configs.list_config_resources

    # Replicas, leaders and offsets

    elect_leaders = partitions.elect_leaders
    alter_partition_reassignments = partitions.alter_partition_reassignments
    list_partition_reassignments = partitions.list_partition_reassignments
    alter_replica_log_dirs = partitions.alter_replica_log_dirs
    describe_log_dirs = partitions.describe_log_dirs
    list_offsets = partitions.list_offsets
    fetch_replicas = replicas.fetch_replicas

    # Nodes

    describe_cluster = nodes.describe_cluster
    describe_quorum = nodes.describe_quorum
    add_raft_voter = nodes.add_raft_voter
    remove_raft_voter = nodes.remove_raft_voter
    unregister_broker = nodes.unregister_broker
    api_versions = nodes.api_versions
    all_api_versions = nodes.all_api_versions

    # Groups

    list_groups = groups.list_groups
    describe_groups = groups.describe_groups
    delete_groups = groups.delete_groups
    list_group_offsets = groups.list_group_offsets
    alter_group_offsets = groups.alter_group_offsets
    delete_group_offsets = groups.delete_group_offsets
    remove_group_members = groups.remove_group_members

    # Share groups

    describe_share_groups = share_groups.describe_share_groups
    list_share_group_offsets = share_groups.list_share_group_offsets
    alter_share_group_offsets = share_groups.alter_share_group_offsets
    delete_share_group_offsets = share_groups.delete_share_group_offsets

    # Streams groups

    describe_streams_groups = streams_groups.describe_streams_groups
    remove_streams_group_members = streams_groups.remove_streams_group_members

    # Quotas

    describe_client_quotas = quotas.describe_client_quotas
    alter_client_quotas = quotas.alter_client_quotas

    # Transactions

    list_transactions = transactions.list_transactions
    describe_transactions = transactions.describe_transactions
    describe_producers = transactions.describe_producers
    abort_transaction = transactions.abort_transaction
    fence_producers = transactions.fence_producers
    force_terminate_transaction = transactions.force_terminate_transaction

    # ACLs

    create_acls = acls.create_acls
    describe_acls = acls.describe_acls
    delete_acls = acls.delete_acls

    # Features

    describe_features = features.describe_features
    update_features = features.update_features

    # Passwords

    describe_user_scram_credentials = scram.describe_user_scram_credentials
    alter_user_scram_credentials = scram.alter_user_scram_credentials

    # Delegation tokens

    create_delegation_token = tokens.create_delegation_token
    renew_delegation_token = tokens.renew_delegation_token
    expire_delegation_token = tokens.expire_delegation_token
    describe_delegation_tokens = tokens.describe_delegation_tokens


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
    "ReplicaRecords",
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
