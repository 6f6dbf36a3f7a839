"""What is logged about dynamic settings."""

from __future__ import annotations

from raftka.broker.dynamic_settings import follow, warn_without_effect
from raftka.kraft.delta import MetadataDelta
from raftka.kraft.image import BROKER_RESOURCE, EMPTY_IMAGE, TOPIC_RESOURCE
from raftka.kraft.records import ConfigRecord
from raftka.model import logs
from raftka.model.settings import read_config

NODE = {
    "process.roles": "broker",
    "node.id": "7",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": "1@127.0.0.1:9093",
}


def changed(*records: ConfigRecord) -> MetadataDelta:
    delta = MetadataDelta(EMPTY_IMAGE)
    delta.replay_all(records, 1)
    return delta


def test_what_locks_out_is_set_aside_with_one_warning() -> None:
    image = changed(ConfigRecord(BROKER_RESOURCE, "", "max.connections", "0")).image
    with logs.captured() as lines:
        config = follow(read_config(NODE), image, 7)
        assert follow(config, image, 7).int("max.connections") == 2**31 - 1
    (line,) = lines
    assert line.level == "warning" and "max.connections=0" in line.words


def test_what_changes_nothing_yet_says_so_when_it_is_set() -> None:
    rate = "remote.fetch.max.wait.ms"
    with logs.captured() as lines:
        warn_without_effect(
            changed(
                ConfigRecord(BROKER_RESOURCE, "7", rate, "1000"),
                ConfigRecord(BROKER_RESOURCE, "7", "log.roll.ms", "1000"),
                ConfigRecord(TOPIC_RESOURCE, "t", "retention.ms", "1000"),
            )
        )
    assert [line.words.partition(",")[0] for line in lines] == [f"{rate} was set"]
    assert "without effect" in lines[0].words
