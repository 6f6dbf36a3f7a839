"""The consumer: fetching, positions, commits, and membership of a group."""

from client.consumer.consumer import Consumer
from client.consumer.group_client import CommitFailed, RebalanceInProgress
from client.consumer.listener import RebalanceListener
from client.consumer.offsets import OffsetAndTimestamp
from client.consumer.positions import LogTruncated, NoOffset
from client.consumer.state import EARLIEST, LATEST, ConsumerRecord, OffsetAndMetadata

__all__ = [
    "EARLIEST",
    "LATEST",
    "CommitFailed",
    "Consumer",
    "ConsumerRecord",
    "LogTruncated",
    "NoOffset",
    "OffsetAndMetadata",
    "OffsetAndTimestamp",
    "RebalanceInProgress",
    "RebalanceListener",
]
