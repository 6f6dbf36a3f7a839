"""The settings of a topic; each defaults to a setting of the broker."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
    CLEANUP_POLICIES,
    CODECS,
    DECOMPRESSED_BYTES_MAX,
    DOUBLE,
    INT,
    LIST,
    LONG,
    LONG_MAX,
    STRING,
    TIMESTAMP_TYPES,
    Range,
    ThrottledReplicas,
    at_least,
    between,
    topic_setting,
)
from raftka.model.settings.setting import Setting

_TIERED: Final = "there is no tiered storage: all records stay in log.dirs"


# fmt: off
TOPIC_SETTINGS: Final[tuple[Setting, ...]] = (
    topic_setting("cleanup.policy", LIST, ("delete",), CLEANUP_POLICIES, "log.cleanup.policy",
                  "What happens to old records: delete, compact (the last of each key stays), "
                  "both, or nothing."),
    topic_setting("compression.type", STRING, "producer", CODECS, "compression.type",
                  "How batches are kept: as the producer compressed them, or with one codec."),
    topic_setting("compression.gzip.level", INT, -1, Range(1, 9, -1), "compression.gzip.level",
                  "The level when compression.type is gzip."),
    topic_setting("compression.lz4.level", INT, 9, between(1, 17), "compression.lz4.level",
                  "The level when compression.type is lz4."),
    topic_setting("compression.zstd.level", INT, 3, between(-131072, 22), "compression.zstd.level",
                  "The level when compression.type is zstd."),
    topic_setting("delete.retention.ms", LONG, 86400000, at_least(0),
                  "log.cleaner.delete.retention.ms",
                  "How long the tombstone of a key is kept after it was first "
                  "cleaned."),
    topic_setting("errors.deadletterqueue.group.enable", BOOLEAN, False, None, None,
                  "Whether share groups may have the topic as their dead letter queue (KIP-1191)."),
    topic_setting("file.delete.delay.ms", LONG, 60000, at_least(0), "log.segment.delete.delay.ms",
                  "How long a deleted segment's files stay on disk under another name."),
    topic_setting("flush.messages", LONG, LONG_MAX, at_least(1), "log.flush.interval.messages",
                  "After how many records a partition is forced to disk; replication is what "
                  "usually protects them."),
    topic_setting("flush.ms", LONG, LONG_MAX, at_least(0), "log.flush.interval.ms",
                  "After how long appended records are forced to disk."),
    topic_setting("follower.replication.throttled.replicas", LIST, (),
                  ThrottledReplicas("follower.replication.throttled.replicas"), None,
                  "Replicas that follower.replication.throttled.rate limits while they "
                  "are not in sync, as partition:broker, or * for all."),
    topic_setting("index.interval.bytes", INT, 4096, at_least(0), "log.index.interval.bytes",
                  "One entry of the offset index for about this many bytes of records."),
    topic_setting("leader.replication.throttled.replicas", LIST, (),
                  ThrottledReplicas("leader.replication.throttled.replicas"), None,
                  "Replicas for whose followers leader.replication.throttled.rate holds "
                  "while those are not in sync, as partition:broker, or * for all."),
    topic_setting("local.retention.bytes", LONG, -2, at_least(-2), "log.local.retention.bytes",
                  "", _TIERED),
    topic_setting("local.retention.ms", LONG, -2, at_least(-2), "log.local.retention.ms",
                  "", _TIERED),
    topic_setting("max.compaction.lag.ms", LONG, LONG_MAX, at_least(1),
                  "log.cleaner.max.compaction.lag.ms",
                  "How long a record may wait at most until it is compacted."),
    topic_setting("max.decompressed.message.bytes", INT, DECOMPRESSED_BYTES_MAX,
                  between(1, DECOMPRESSED_BYTES_MAX), "max.decompressed.message.bytes",
                  "How many bytes the records of a compressed batch may have; never "
                  "more than 128 MB."),
    topic_setting("max.message.bytes", INT, 1048588, at_least(0), "message.max.bytes",
                  "The largest record batch that the topic takes."),
    topic_setting("message.timestamp.after.max.ms", LONG, 3600000, at_least(0),
                  "log.message.timestamp.after.max.ms",
                  "How far after the broker's clock a record's timestamp may lie."),
    topic_setting("message.timestamp.before.max.ms", LONG, LONG_MAX, at_least(0),
                  "log.message.timestamp.before.max.ms",
                  "How far before the broker's clock a record's timestamp may lie."),
    topic_setting("message.timestamp.type", STRING, "CreateTime", TIMESTAMP_TYPES,
                  "log.message.timestamp.type",
                  "Whether records carry the time of their making or of their arrival."),
    topic_setting("min.cleanable.dirty.ratio", DOUBLE, 0.5, between(0, 1),
                  "log.cleaner.min.cleanable.ratio",
                  "How large the share of the log that was never compacted must be "
                  "for a cleaning."),
    topic_setting("min.compaction.lag.ms", LONG, 0, at_least(0),
                  "log.cleaner.min.compaction.lag.ms",
                  "How long a record stays as it is before it may be compacted."),
    topic_setting("min.insync.replicas", INT, 1, at_least(1), "min.insync.replicas",
                  "How many replicas must have a record of acks=all before it is acknowledged."),
    topic_setting("preallocate", BOOLEAN, False, None, "log.preallocate",
                  "Whether a new segment's file gets its full size at once."),
    topic_setting("remote.copy.lag.bytes", LONG, -1, at_least(-1), "log.remote.copy.lag.bytes",
                  "", _TIERED),
    topic_setting("remote.copy.lag.ms", LONG, 0, at_least(-1), "log.remote.copy.lag.ms",
                  "", _TIERED),
    topic_setting("remote.log.copy.disable", BOOLEAN, False, None, None,
                  "", _TIERED),
    topic_setting("remote.log.delete.on.disable", BOOLEAN, False, None, None,
                  "", _TIERED),
    topic_setting("remote.storage.enable", BOOLEAN, False, None, None,
                  "", _TIERED),
    topic_setting("retention.bytes", LONG, -1, None, "log.retention.bytes",
                  "How large a partition may grow before its oldest segments go; -1 without "
                  "limit."),
    topic_setting("retention.ms", LONG, 604800000, at_least(-1), "log.retention.ms",
                  "How long records are kept; -1 for ever."),
    topic_setting("segment.bytes", INT, 1073741824, at_least(1048576), "log.segment.bytes",
                  "A segment is closed and the next one begun before it would grow past this "
                  "size."),
    topic_setting("segment.index.bytes", INT, 10485760, at_least(4), "log.index.size.max.bytes",
                  "The largest size of an index file; a full index rolls the segment."),
    topic_setting("segment.jitter.ms", LONG, 0, at_least(0), "log.roll.jitter.ms",
                  "Up to this much is taken off segment.ms by chance, so that segments do not "
                  "all roll at once."),
    topic_setting("segment.ms", LONG, 604800000, at_least(1), "log.roll.ms",
                  "A segment is closed after this time even when it is not full."),
    topic_setting("unclean.leader.election.enable", BOOLEAN, False, None,
                  "unclean.leader.election.enable",
                  "Whether a replica that may lack records can become leader when no other is "
                  "left."),
)
# fmt: on
