"""The controllers' quorum, the metadata log, and the life signs of brokers."""

from __future__ import annotations

from typing import Final

from model.settings.rows import (
    INT,
    LIST,
    LONG,
    READ_ONLY,
    NonEmpty,
    at_least,
)
from model.settings.setting import Setting

# fmt: off
QUORUM_SETTINGS: Final[tuple[Setting, ...]] = (
    Setting("controller.quorum.voters", LIST, (), NonEmpty(), READ_ONLY,
            "The controllers that vote, as id@host:port; the fixed form of the quorum."),
    Setting("controller.quorum.bootstrap.servers", LIST, (), NonEmpty(), READ_ONLY,
            "Addresses at which to find the quorum, whose voters may then change."),
    Setting("controller.quorum.election.timeout.ms", INT, 1000, at_least(0), READ_ONLY,
            "How long a candidate waits for votes before it stands again."),
    Setting("controller.quorum.fetch.timeout.ms", INT, 2000, at_least(0), READ_ONLY,
            "How long without a word from the leader before an election."),
    Setting("controller.quorum.election.backoff.max.ms", INT, 1000, at_least(0), READ_ONLY,
            "The longest pause, chosen by chance, before a candidate stands again."),
    Setting("controller.quorum.request.timeout.ms", INT, 2000, at_least(0), READ_ONLY,
            "How long a request to a member of the quorum may take."),
    Setting("controller.quorum.retry.backoff.ms", INT, 20, at_least(0), READ_ONLY,
            "The pause before such a request is repeated."),
    Setting("controller.quorum.append.linger.ms", INT, 25, at_least(0), READ_ONLY,
            "The longest time for which metadata changes are gathered into one write."),
    Setting("broker.heartbeat.interval.ms", INT, 2000, None, READ_ONLY,
            "How often a broker tells the active controller that it lives."),
    Setting("broker.session.timeout.ms", INT, 9000, None, READ_ONLY,
            "A broker that was silent this long is fenced and its leaderships move."),
    Setting("initial.broker.registration.timeout.ms", INT, 60000, None, READ_ONLY,
            "How long a starting broker tries to register before it gives up."),
    Setting("metadata.log.max.record.bytes.between.snapshots", LONG, 20971520, at_least(1),
            READ_ONLY,
            "Bytes of the metadata log after which a snapshot is written."),
    Setting("metadata.log.max.snapshot.interval.ms", LONG, 3600000, at_least(0), READ_ONLY,
            "The longest time between snapshots while the log grows; 0 for no limit."),
    Setting("metadata.max.retention.bytes", LONG, 104857600, None, READ_ONLY,
            "How large the metadata log and its snapshots may grow before old ones go."),
    Setting("metadata.max.retention.ms", LONG, 604800000, None, READ_ONLY,
            "How long old parts of the metadata log are kept."),
    Setting("metadata.max.idle.interval.ms", INT, 500, at_least(0), READ_ONLY,
            "How often an idle active controller writes an empty record; 0 for never."),
)
# fmt: on
