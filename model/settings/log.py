"""Logs on disk: directories, segments, retention, flushing, what records may be."""

from __future__ import annotations

from typing import Final

from raftka.model.settings.rows import (
    BOOLEAN,
    CLEANUP_POLICIES,
    CLUSTER_WIDE,
    CODECS,
    INT,
    LIST,
    LONG,
    LONG_MAX,
    READ_ONLY,
    STRING,
    TIMESTAMP_TYPES,
    Range,
    at_least,
    between,
)
from raftka.model.settings.setting import Setting

# fmt: off
LOG_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("log.dir", LIST, ("/tmp/kafka-logs",), None, READ_ONLY,
            "The directory of the logs when log.dirs is not given."),
    Setting("log.dirs", LIST, None, None, READ_ONLY,
            "The directories in which partitions are kept, each on its own disk if possible."),
    Setting("metadata.log.dir", STRING, None, None, READ_ONLY,
            "The directory of the metadata log; the first of log.dirs when not given."),
    Setting("log.segment.bytes", INT, 1073741824, at_least(1048576), CLUSTER_WIDE,
            "A segment is closed and the next one begun before it would grow past this size."),
    Setting("log.roll.ms", LONG, None, None, CLUSTER_WIDE,
            "A segment is closed after this time even when it is not full."),
    Setting("log.roll.hours", INT, 168, at_least(1), READ_ONLY,
            "The same as log.roll.ms in hours, when that is not given."),
    Setting("log.roll.jitter.ms", LONG, None, None, CLUSTER_WIDE,
            "Up to this much is taken off log.roll.ms by chance, so that segments do not all "
            "roll at once."),
    Setting("log.roll.jitter.hours", INT, 0, at_least(0), READ_ONLY,
            "The same as log.roll.jitter.ms in hours, when that is not given."),
    Setting("log.retention.ms", LONG, None, None, CLUSTER_WIDE,
            "How long records are kept; -1 for ever."),
    Setting("log.retention.minutes", INT, None, None, READ_ONLY,
            "The same as log.retention.ms in minutes, when that is not given."),
    Setting("log.retention.hours", INT, 168, None, READ_ONLY,
            "The same as log.retention.ms in hours, when neither that nor the minutes are given."),
    Setting("log.retention.bytes", LONG, -1, None, CLUSTER_WIDE,
            "How large a partition may grow before its oldest segments go; -1 without limit."),
    Setting("log.retention.check.interval.ms", LONG, 300000, at_least(1), READ_ONLY,
            "How often segments are looked at for deletion."),
    Setting("log.cleanup.policy", LIST, ("delete",), CLEANUP_POLICIES, CLUSTER_WIDE,
            "What happens to old records: delete, compact (the last of each key stays), both, or "
            "nothing."),
    Setting("log.segment.delete.delay.ms", LONG, 60000, at_least(0), CLUSTER_WIDE,
            "How long a deleted segment's files stay on disk under another name."),
    Setting("log.index.interval.bytes", INT, 4096, at_least(0), CLUSTER_WIDE,
            "One entry of the offset index for about this many bytes of records."),
    Setting("log.index.size.max.bytes", INT, 10485760, at_least(4), CLUSTER_WIDE,
            "The largest size of an index file; a full index rolls the segment."),
    Setting("log.preallocate", BOOLEAN, False, None, CLUSTER_WIDE,
            "Whether a new segment's file gets its full size at once."),
    Setting("log.flush.interval.messages", LONG, LONG_MAX, at_least(1), CLUSTER_WIDE,
            "After how many records a partition is forced to disk; replication is what usually "
            "protects them."),
    Setting("log.flush.interval.ms", LONG, None, None, CLUSTER_WIDE,
            "After how long appended records are forced to disk; log.flush.scheduler.interval.ms "
            "when not given."),
    Setting("log.flush.scheduler.interval.ms", LONG, LONG_MAX, None, READ_ONLY,
            "How often it is looked whether a partition has to be forced to disk."),
    Setting("log.flush.offset.checkpoint.interval.ms", INT, 60000, at_least(0), READ_ONLY,
            "How often the offsets up to which partitions are on disk are written down."),
    Setting("log.message.timestamp.type", STRING, "CreateTime", TIMESTAMP_TYPES, CLUSTER_WIDE,
            "Whether records carry the time of their making or of their arrival."),
    Setting("log.message.timestamp.before.max.ms", LONG, LONG_MAX, at_least(0), CLUSTER_WIDE,
            "How far before the broker's clock a record's timestamp may lie."),
    Setting("log.message.timestamp.after.max.ms", LONG, 3600000, at_least(0), CLUSTER_WIDE,
            "How far after the broker's clock a record's timestamp may lie."),
    Setting("message.max.bytes", INT, 1048588, at_least(0), CLUSTER_WIDE,
            "The largest record batch that a topic takes."),
    Setting("compression.type", STRING, "producer", CODECS, CLUSTER_WIDE,
            "How batches are kept: as the producer compressed them, or with one codec."),
    Setting("compression.gzip.level", INT, -1, Range(1, 9, -1), CLUSTER_WIDE,
            "The level when compression.type is gzip."),
    Setting("compression.lz4.level", INT, 9, between(1, 17), CLUSTER_WIDE,
            "The level when compression.type is lz4."),
    Setting("compression.zstd.level", INT, 3, between(-131072, 22), CLUSTER_WIDE,
            "The level when compression.type is zstd."),
    Setting("producer.id.expiration.ms", INT, 86400000, at_least(1), CLUSTER_WIDE,
            "How long an idle producer's sequence numbers are remembered."),
)
# fmt: on
