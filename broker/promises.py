"""The handler and the versions of each API, without importing the handlers.

Written by `python -m raftka.broker.generate_promises` from the handlers' registrations: change
those, not this.
"""

from __future__ import annotations

from typing import Final

from raftka.model.named_tuple import NamedTuple
from raftka.net.router import Listeners


class Promise(NamedTuple):
    """One API: its module in broker/handlers, and its entry in ApiVersions."""

    module: str
    min_version: int
    max_version: int
    listeners: Listeners
    forward: bool


PROMISES: Final[dict[int, Promise]] = {
    0: Promise("produce", 3, 13, "broker", False),
    1: Promise("fetch", 4, 18, "broker", False),
    2: Promise("list_offsets", 1, 11, "broker", False),
    3: Promise("metadata", 0, 13, "broker", False),
    8: Promise("offset_commit", 2, 10, "broker", False),
    9: Promise("offset_fetch", 1, 10, "broker", False),
    10: Promise("find_coordinator", 0, 6, "broker", False),
    11: Promise("join_group", 0, 9, "broker", False),
    12: Promise("heartbeat", 0, 4, "broker", False),
    13: Promise("leave_group", 0, 5, "broker", False),
    14: Promise("sync_group", 0, 5, "broker", False),
    15: Promise("describe_groups", 0, 6, "broker", False),
    16: Promise("list_groups", 0, 5, "broker", False),
    17: Promise("sasl_handshake", 0, 1, "both", False),
    18: Promise("api_versions", 0, 4, "both", False),
    19: Promise("create_topics", 2, 7, "broker", True),
    20: Promise("delete_topics", 1, 6, "broker", True),
    21: Promise("delete_records", 0, 2, "broker", False),
    22: Promise("init_producer_id", 0, 5, "broker", False),
    23: Promise("offset_for_leader_epoch", 2, 4, "broker", False),
    24: Promise("add_partitions_to_txn", 0, 5, "broker", False),
    25: Promise("add_offsets_to_txn", 0, 4, "broker", False),
    26: Promise("end_txn", 0, 5, "broker", False),
    27: Promise("write_txn_markers", 1, 2, "broker", False),
    28: Promise("txn_offset_commit", 0, 6, "broker", False),
    29: Promise("describe_acls", 1, 3, "both", False),
    30: Promise("create_acls", 1, 3, "broker", True),
    31: Promise("delete_acls", 1, 3, "broker", True),
    32: Promise("describe_configs", 1, 4, "both", False),
    33: Promise("alter_configs", 0, 2, "broker", True),
    34: Promise("alter_replica_log_dirs", 1, 2, "broker", False),
    35: Promise("describe_log_dirs", 1, 5, "broker", False),
    36: Promise("sasl_authenticate", 0, 2, "both", False),
    37: Promise("create_partitions", 0, 3, "broker", True),
    38: Promise("create_delegation_token", 1, 3, "broker", True),
    39: Promise("renew_delegation_token", 1, 2, "broker", True),
    40: Promise("expire_delegation_token", 1, 2, "broker", True),
    41: Promise("describe_delegation_token", 1, 3, "both", False),
    42: Promise("delete_groups", 0, 2, "broker", False),
    43: Promise("elect_leaders", 0, 2, "broker", True),
    44: Promise("incremental_alter_configs", 0, 1, "broker", True),
    45: Promise("alter_partition_reassignments", 0, 1, "broker", True),
    46: Promise("list_partition_reassignments", 0, 0, "broker", True),
    47: Promise("offset_delete", 0, 0, "broker", False),
    48: Promise("describe_client_quotas", 0, 1, "broker", False),
    49: Promise("alter_client_quotas", 0, 1, "broker", True),
    50: Promise("describe_user_scram_credentials", 0, 0, "both", False),
    51: Promise("alter_user_scram_credentials", 0, 0, "broker", True),
    55: Promise("describe_quorum", 0, 2, "broker", True),
    56: Promise("alter_partition", 2, 3, "controller", False),
    57: Promise("update_features", 0, 2, "broker", True),
    58: Promise("envelope", 0, 0, "controller", False),
    60: Promise("describe_cluster", 0, 2, "both", False),
    61: Promise("describe_producers", 0, 0, "broker", False),
    62: Promise("broker_registration", 0, 4, "controller", False),
    63: Promise("broker_heartbeat", 0, 2, "controller", False),
    64: Promise("unregister_broker", 0, 0, "broker", True),
    65: Promise("describe_transactions", 0, 0, "broker", False),
    66: Promise("list_transactions", 0, 2, "broker", False),
    67: Promise("allocate_producer_ids", 0, 0, "controller", False),
    68: Promise("consumer_group_heartbeat", 0, 1, "broker", False),
    69: Promise("consumer_group_describe", 0, 1, "broker", False),
    71: Promise("get_telemetry_subscriptions", 0, 0, "broker", False),
    72: Promise("push_telemetry", 0, 0, "broker", False),
    73: Promise("assign_replicas_to_dirs", 0, 0, "controller", False),
    74: Promise("list_config_resources", 0, 1, "broker", False),
    75: Promise("describe_topic_partitions", 0, 0, "broker", False),
    76: Promise("share_group_heartbeat", 1, 1, "broker", False),
    77: Promise("share_group_describe", 1, 1, "broker", False),
    78: Promise("share_fetch", 1, 2, "broker", False),
    79: Promise("share_acknowledge", 1, 2, "broker", False),
    80: Promise("add_raft_voter", 0, 1, "broker", True),
    81: Promise("remove_raft_voter", 0, 0, "broker", True),
    83: Promise("initialize_share_group_state", 0, 0, "broker", False),
    84: Promise("read_share_group_state", 0, 0, "broker", False),
    85: Promise("write_share_group_state", 0, 1, "broker", False),
    86: Promise("delete_share_group_state", 0, 0, "broker", False),
    87: Promise("read_share_group_state_summary", 0, 1, "broker", False),
    88: Promise("streams_group_heartbeat", 0, 1, "broker", False),
    89: Promise("streams_group_describe", 0, 1, "broker", False),
    90: Promise("describe_share_group_offsets", 0, 1, "broker", False),
    91: Promise("alter_share_group_offsets", 0, 0, "broker", False),
    92: Promise("delete_share_group_offsets", 0, 0, "broker", False),
    93: Promise("streams_group_topology_description_update", 0, 0, "broker", False),
}
