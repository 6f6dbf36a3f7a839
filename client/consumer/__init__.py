"""The consumer: fetching, positions, commits, and membership of a group."""

from raftka.client.consumer.consumer import Consumer
from raftka.client.consumer.group_client import CommitFailed, RebalanceInProgress
from raftka.client.consumer.listener import RebalanceListener
from raftka.client.consumer.member import SubscriptionPattern
from raftka.client.consumer.offsets import OffsetAndTimestamp
from raftka.client.consumer.positions import LogTruncated, NoOffset
from raftka.client.consumer.state import ConsumerRecord
from raftka.client.group_offsets import GroupMetadata, OffsetAndMetadata
from raftka.model.offset_specs import EARLIEST, LATEST

__all__ = [
    "EARLIEST",
    "LATEST",
    "CommitFailed",
    "Consumer",
    "ConsumerRecord",
    "GroupMetadata",
    "LogTruncated",
    "NoOffset",
    "OffsetAndMetadata",
    "OffsetAndTimestamp",
    "RebalanceInProgress",
    "RebalanceListener",
    "SubscriptionPattern",
]
