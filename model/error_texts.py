"""The message of each error code, by its name, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, str]] = {
    "UNKNOWN_SERVER_ERROR": (
        "The server met something it did not expect; its log has the details."
    ),
    "NONE": "No error.",
    "OFFSET_OUT_OF_RANGE": (
        "The offset is not between the start and the end of the partition; reset to one that is."
    ),
    "CORRUPT_MESSAGE": (
        "A record batch does not match its checksum, has an impossible size, or lacks a key that "
        "its topic needs."
    ),
    "UNKNOWN_TOPIC_OR_PARTITION": "This server does not know the topic or partition.",
    "INVALID_FETCH_SIZE": "A fetch asked for a size that cannot be.",
    "LEADER_NOT_AVAILABLE": ("The partition has no leader at the moment; one is being elected."),
    "NOT_LEADER_OR_FOLLOWER": (
        "This broker is not the leader, or not a replica, of the partition; refresh the metadata."
    ),
    "REQUEST_TIMED_OUT": "The request was not done in the time that it gave.",
    "BROKER_NOT_AVAILABLE": "The broker is not available.",
    "REPLICA_NOT_AVAILABLE": (
        "The replica is not on this broker, or not ready; refresh the metadata."
    ),
    "MESSAGE_TOO_LARGE": "A record batch is larger than the topic's max.message.bytes.",
    "STALE_CONTROLLER_EPOCH": "The controller that asked is no longer the active one.",
    "OFFSET_METADATA_TOO_LARGE": (
        "The text beside the committed offset is longer than offset.metadata.max.bytes."
    ),
    "NETWORK_EXCEPTION": "The connection broke before the answer came.",
    "COORDINATOR_LOAD_IN_PROGRESS": (
        "The coordinator is still reading its log; ask again shortly."
    ),
    "COORDINATOR_NOT_AVAILABLE": "The coordinator is not available; find it again.",
    "NOT_COORDINATOR": (
        "This broker does not coordinate that group or transactional id; find its coordinator "
        "again."
    ),
    "INVALID_TOPIC_EXCEPTION": (
        "The topic's name is not allowed, or the operation is not for this topic."
    ),
    "RECORD_LIST_TOO_LARGE": (
        "The records of a request are larger than a segment of the partition."
    ),
    "NOT_ENOUGH_REPLICAS": (
        "Fewer replicas are in sync than min.insync.replicas asks for; nothing was written."
    ),
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND": (
        "The records were written, but fewer replicas are in sync than min.insync.replicas asks "
        "for."
    ),
    "INVALID_REQUIRED_ACKS": "acks must be 0, 1 or -1 (all).",
    "ILLEGAL_GENERATION": (
        "The group has another generation than the member believes; join again."
    ),
    "INCONSISTENT_GROUP_PROTOCOL": (
        "The member shares no assignment strategy or protocol type with the rest of its group."
    ),
    "INVALID_GROUP_ID": "The group id is empty or not allowed.",
    "UNKNOWN_MEMBER_ID": ("The coordinator does not know this member of the group; join again."),
    "INVALID_SESSION_TIMEOUT": (
        "The session timeout is not between group.min.session.timeout.ms and "
        "group.max.session.timeout.ms."
    ),
    "REBALANCE_IN_PROGRESS": "The group is being rebalanced; join again.",
    "INVALID_COMMIT_OFFSET_SIZE": "The commit is too large to be written.",
    "TOPIC_AUTHORIZATION_FAILED": "Not authorized for the topic.",
    "GROUP_AUTHORIZATION_FAILED": "Not authorized for the group.",
    "CLUSTER_AUTHORIZATION_FAILED": "Not authorized for the cluster.",
    "INVALID_TIMESTAMP": ("A record's timestamp lies too far before or after the broker's clock."),
    "UNSUPPORTED_SASL_MECHANISM": "The server does not offer that SASL mechanism.",
    "ILLEGAL_SASL_STATE": "The request does not fit where the SASL handshake is.",
    "UNSUPPORTED_VERSION": "The server does not support this API, or not in this version.",
    "TOPIC_ALREADY_EXISTS": "A topic of that name exists.",
    "INVALID_PARTITIONS": "The number of partitions is not possible.",
    "INVALID_REPLICATION_FACTOR": (
        "The replication factor is below 1 or above the number of brokers that can take replicas."
    ),
    "INVALID_REPLICA_ASSIGNMENT": (
        "The replica assignment names unknown brokers, names one twice, or leaves a partition out."
    ),
    "INVALID_CONFIG": "The setting is unknown or its value is not allowed.",
    "NOT_CONTROLLER": "This node is not the active controller.",
    "INVALID_REQUEST": "The request makes no sense as it stands.",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT": (
        "The message format on the broker does not support the request."
    ),
    "POLICY_VIOLATION": "The request breaks a policy of this cluster.",
    "OUT_OF_ORDER_SEQUENCE_NUMBER": "Batches of this producer are missing before this one.",
    "DUPLICATE_SEQUENCE_NUMBER": "This producer's batch was written before.",
    "INVALID_PRODUCER_EPOCH": "A newer producer with the same id has taken over.",
    "INVALID_TXN_STATE": "The transaction is in a state that does not allow this.",
    "INVALID_PRODUCER_ID_MAPPING": ("The producer id does not belong to this transactional id."),
    "INVALID_TRANSACTION_TIMEOUT": (
        "The transaction timeout is longer than transaction.max.timeout.ms."
    ),
    "CONCURRENT_TRANSACTIONS": (
        "The previous transaction of this id is still being finished; try again."
    ),
    "TRANSACTION_COORDINATOR_FENCED": (
        "The transaction coordinator that wrote this is not the current one."
    ),
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "Not authorized for the transactional id.",
    "SECURITY_DISABLED": "Security is not enabled on this cluster.",
    "OPERATION_NOT_ATTEMPTED": ("Not tried, because another part of the same request failed."),
    "KAFKA_STORAGE_ERROR": "The broker could not read or write its log directory.",
    "LOG_DIR_NOT_FOUND": "The broker has no such log directory.",
    "SASL_AUTHENTICATION_FAILED": "The credentials were not accepted.",
    "UNKNOWN_PRODUCER_ID": "Nothing of this producer is remembered for the partition.",
    "REASSIGNMENT_IN_PROGRESS": "The partition is being reassigned.",
    "DELEGATION_TOKEN_AUTH_DISABLED": (
        "Delegation tokens are not enabled: set delegation.token.secret.key on every node."
    ),
    "DELEGATION_TOKEN_NOT_FOUND": (
        "There is no such delegation token; it may have expired or been ended. Create another one."
    ),
    "DELEGATION_TOKEN_OWNER_MISMATCH": (
        "The delegation token belongs to another user, who has not named you as a renewer."
    ),
    "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED": (
        "Delegation tokens are for clients that log in by SASL or a certificate, not by a token."
    ),
    "DELEGATION_TOKEN_AUTHORIZATION_FAILED": (
        "Not authorized for the delegation token: kafka-acls --user-principal gives CreateTokens."
    ),
    "DELEGATION_TOKEN_EXPIRED": "The delegation token has expired. Create another one.",
    "INVALID_PRINCIPAL_TYPE": "Delegation tokens are for principals of type User alone.",
    "NON_EMPTY_GROUP": "The group still has members; stop them first.",
    "GROUP_ID_NOT_FOUND": "There is no such group.",
    "FETCH_SESSION_ID_NOT_FOUND": (
        "The broker does not remember the fetch session; begin a new one."
    ),
    "INVALID_FETCH_SESSION_EPOCH": ("The fetch session has gone on in between; begin a new one."),
    "LISTENER_NOT_FOUND": ("The leader has no listener of the name on which this request came."),
    "TOPIC_DELETION_DISABLED": "delete.topic.enable is off on this cluster.",
    "FENCED_LEADER_EPOCH": (
        "The partition has a newer leader epoch than the request says; refresh the metadata."
    ),
    "UNKNOWN_LEADER_EPOCH": (
        "The request has a newer leader epoch than this broker knows of yet; try again."
    ),
    "UNSUPPORTED_COMPRESSION_TYPE": (
        "The version of the request does not support the batch's compression."
    ),
    "STALE_BROKER_EPOCH": "The broker registered again since it sent this.",
    "OFFSET_NOT_AVAILABLE": ("The new leader does not know its high watermark yet; try again."),
    "MEMBER_ID_REQUIRED": ("The member must join again with the id that this answer gives it."),
    "PREFERRED_LEADER_NOT_AVAILABLE": "The preferred leader is not alive or not in sync.",
    "GROUP_MAX_SIZE_REACHED": "The group has as many members as group.max.size allows.",
    "FENCED_INSTANCE_ID": "Another member with the same group.instance.id has taken over.",
    "ELIGIBLE_LEADERS_NOT_AVAILABLE": "No replica that could lead is alive.",
    "ELECTION_NOT_NEEDED": "The wanted leader leads already.",
    "NO_REASSIGNMENT_IN_PROGRESS": "The partition is not being reassigned.",
    "GROUP_SUBSCRIBED_TO_TOPIC": (
        "A member of the group reads the topic, so its offsets cannot be deleted."
    ),
    "INVALID_RECORD": "A record breaks a rule of its topic and was refused.",
    "UNSTABLE_OFFSET_COMMIT": "A transaction that commits these offsets is not finished.",
    "THROTTLING_QUOTA_EXCEEDED": "A quota is used up; try again later.",
    "PRODUCER_FENCED": "A newer producer with the same transactional id has taken over.",
    "RESOURCE_NOT_FOUND": "The resource does not exist.",
    "DUPLICATE_RESOURCE": "The request names a resource more than once.",
    "UNACCEPTABLE_CREDENTIAL": "The credential does not meet the requirements.",
    "INCONSISTENT_VOTER_SET": "Sender and receiver have different voter sets.",
    "INVALID_UPDATE_VERSION": (
        "The update was decided on an older version of the partition's state."
    ),
    "FEATURE_UPDATE_FAILED": "The features could not be updated.",
    "PRINCIPAL_DESERIALIZATION_FAILURE": "The forwarded principal could not be read.",
    "SNAPSHOT_NOT_FOUND": "There is no such snapshot.",
    "POSITION_OUT_OF_RANGE": "The position lies outside the snapshot.",
    "UNKNOWN_TOPIC_ID": "This server does not know the topic id.",
    "DUPLICATE_BROKER_REGISTRATION": "Another live broker has this node.id.",
    "BROKER_ID_NOT_REGISTERED": "No broker with that id is registered.",
    "INCONSISTENT_TOPIC_ID": (
        "The log has another topic id than the request; the topic was deleted and made again."
    ),
    "INCONSISTENT_CLUSTER_ID": "The request comes from a node of another cluster.",
    "TRANSACTIONAL_ID_NOT_FOUND": "There is no such transactional id.",
    "FETCH_SESSION_TOPIC_ID_ERROR": (
        "The fetch session mixes topic names and topic ids; begin a new one."
    ),
    "INELIGIBLE_REPLICA": "The replica cannot join the in-sync replicas now.",
    "NEW_LEADER_ELECTED": ("The partition changed its state, but leadership moved on meanwhile."),
    "OFFSET_MOVED_TO_TIERED_STORAGE": "The records of that offset are in tiered storage.",
    "FENCED_MEMBER_EPOCH": (
        "The coordinator has another epoch for the member; give up its partitions and join again."
    ),
    "UNRELEASED_INSTANCE_ID": "Another member with that instance id is still in the group.",
    "UNSUPPORTED_ASSIGNOR": "The coordinator does not have that assignor.",
    "STALE_MEMBER_EPOCH": "The member's epoch is old; learn the current one and try again.",
    "MISMATCHED_ENDPOINT_TYPE": (
        "The request came to a broker but is for a controller, or the other way round."
    ),
    "UNSUPPORTED_ENDPOINT_TYPE": "That kind of endpoint is not supported.",
    "UNKNOWN_CONTROLLER_ID": "No controller with that id is known.",
    "UNKNOWN_SUBSCRIPTION_ID": "The metrics subscription has changed; ask for it again.",
    "TELEMETRY_TOO_LARGE": "The metrics are larger than telemetry.max.bytes.",
    "INVALID_REGISTRATION": "The controller does not accept the broker's registration.",
    "TRANSACTION_ABORTABLE": (
        "The transaction must be aborted; the producer can go on after that."
    ),
    "INVALID_RECORD_STATE": ("The record is in a state that does not allow the acknowledgement."),
    "SHARE_SESSION_NOT_FOUND": ("The broker does not remember the share session; begin a new one."),
    "INVALID_SHARE_SESSION_EPOCH": ("The share session has gone on in between; begin a new one."),
    "FENCED_STATE_EPOCH": "The share coordinator has a newer state epoch.",
    "INVALID_VOTER_KEY": "The voter's id and directory id do not belong together.",
    "DUPLICATE_VOTER": "The node is among the voters already.",
    "VOTER_NOT_FOUND": "The node is not among the voters.",
    "INVALID_REGULAR_EXPRESSION": "The regular expression cannot be understood.",
    "REBOOTSTRAP_REQUIRED": (
        "The client's metadata is too old; begin again from the bootstrap servers."
    ),
    "STREAMS_INVALID_TOPOLOGY": "The topology is not valid.",
    "STREAMS_INVALID_TOPOLOGY_EPOCH": "The topology epoch is not valid.",
    "STREAMS_TOPOLOGY_FENCED": "The topology epoch is old.",
    "SHARE_SESSION_LIMIT_REACHED": "No more share sessions fit; try again later.",
}
