"""A lowered feature has the log replaced by a snapshot, which an earlier release reads."""

from __future__ import annotations

from raftka.broker.metadata_loader import MetadataLoader, SnapshotAfterDowngrade
from raftka.kraft.codec import encode_records
from raftka.kraft.records import RAFTKA_VERSION, FeatureLevelRecord, MetadataRecord, TopicRecord


def test_a_snapshot_is_wanted_when_a_level_goes_down_and_only_then() -> None:
    wanted: list[int] = []
    loader = MetadataLoader(lambda leader, epoch: None)
    loader.add(SnapshotAfterDowngrade(lambda: wanted.append(loader.image.offset)).published)

    def commit(offset: int, record: MetadataRecord) -> None:
        loader.handle_commit(offset, 1, encode_records([record]))

    commit(1, FeatureLevelRecord(RAFTKA_VERSION, 1))
    commit(2, TopicRecord("t", bytes(16)))
    commit(3, FeatureLevelRecord("metadata.version", 30))
    assert wanted == []
    commit(4, FeatureLevelRecord(RAFTKA_VERSION, 0))
    assert wanted == [4]
    commit(5, FeatureLevelRecord(RAFTKA_VERSION, 1))
    assert wanted == [4]
