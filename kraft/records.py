"""Metadata records: every change of the cluster's metadata, as a frozen dataclass.

The metadata log is a sequence of these; replaying it from the start (or from a snapshot) yields the
same image on every node. Names and ids are those of Apache Kafka's KRaft records, the encoding is
not (kraft/codec.py).

Rules that keep old logs readable:
- a record's id never changes and is never reused;
- fields are only ever appended, with a default, and marked with the version that introduced them:
  `field(default=..., metadata={"version": 1})`;
- `SINCE[v]` is the metadata.version from which version v of the record may be written;
- from `OWN_FROM` on, a version is newer in raftka than in Kafka, or raftka's own: it may be written
  once the feature raftka.version is at 1, which a node of an earlier release prevents.
"""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar, Final

from raftka.model.dataclass import dataclass
from raftka.model.ids import NO_BROKER
from raftka.model.reasons import NO_REASON, Packed
from raftka.model.releases import METADATA_VERSION as METADATA_VERSION

RAFTKA_VERSION: Final = "raftka.version"
"""raftka's own feature: from level 1 on the metadata may have ACLs, SCRAM credentials, quotas and
log directories, and records have reasons as codes, and batches have times."""
NO_LEADER: Final = NO_BROKER
OFFSET_OF_THE_BATCH: Final = -1
"""As a broker epoch: stands for the offset at which the record was committed."""

RECOVERED: Final = 0
RECOVERING: Final = 1
"""Leader recovery states (KIP-704): after an unclean election the new leader is RECOVERING."""

FIRST_METADATA_VERSION: Final = 21
"""Level 21 is 3.9-IV0 in Apache Kafka's numbering, which tools show to people."""
LATEST_METADATA_VERSION: Final = 33
"""4.4-IV2."""
DEFAULT_METADATA_VERSION: Final = 30
"""4.3-IV0: the level of a new cluster unless the operator names another."""


@dataclass(frozen=True, slots=True)
class MetadataRecord:
    """Common to all records: an id, and since when each version may be written."""

    ID: ClassVar[int] = -1
    SINCE: ClassVar[tuple[int, ...]] = (FIRST_METADATA_VERSION,)
    OWN_FROM: ClassVar[int] = 1 << 30


@dataclass(frozen=True, slots=True)
class RegisterBrokerRecord(MetadataRecord):
    """A broker process registers, or replaces an earlier process with the same id."""

    ID: ClassVar[int] = 0

    broker_id: int
    incarnation_id: bytes
    broker_epoch: int
    """OFFSET_OF_THE_BATCH in the log; the real epoch in snapshots and repeated registrations."""
    endpoints: tuple[tuple[str, str, int, int], ...]
    """(listener name, host, port, security protocol)."""
    features: tuple[tuple[str, int, int], ...] = ()
    """(name, lowest, highest supported level)."""
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    log_dirs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class UnregisterBrokerRecord(MetadataRecord):
    """The operator unregistered a broker."""

    ID: ClassVar[int] = 1

    broker_id: int
    broker_epoch: int


@dataclass(frozen=True, slots=True)
class TopicRecord(MetadataRecord):
    """A topic is created; its partitions follow."""

    ID: ClassVar[int] = 2

    name: str
    topic_id: bytes


@dataclass(frozen=True, slots=True)
class PartitionRecord(MetadataRecord):
    """The complete state of a partition: when it is created, and in snapshots."""

    ID: ClassVar[int] = 3
    SINCE: ClassVar[tuple[int, ...]] = (FIRST_METADATA_VERSION,) * 3
    OWN_FROM: ClassVar[int] = 1

    topic_id: bytes
    partition_id: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int = 0
    partition_epoch: int = 0
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    elr: tuple[int, ...] = ()
    """Eligible leader replicas (KIP-966): not in the ISR, but with every committed record."""
    last_known_elr: tuple[int, ...] = ()
    """Replicas that were in the ISR or ELR before unclean shutdowns; the last leader first."""
    leader_recovery_state: int = RECOVERED
    reason: str = ""
    """Why this leader was elected, in words (not in Kafka's records)."""
    directories: tuple[bytes, ...] = field(default=(), metadata={"version": 1})
    """The log directory id of each replica (KIP-858); empty until a broker has reported one."""
    why: Packed = field(default=NO_REASON, metadata={"version": 2})
    """`reason` as a code with parameters (model/reasons.py)."""
    why_changed: Packed = field(default=NO_REASON, metadata={"version": 2})
    """Why ISR, ELR or replicas changed last."""


@dataclass(frozen=True, slots=True)
class ConfigRecord(MetadataRecord):
    """One setting of one resource; None deletes it."""

    ID: ClassVar[int] = 4

    resource_type: int
    resource_name: str
    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class PartitionChangeRecord(MetadataRecord):
    """The changes in a partition; None leaves a field unchanged.

    A leader, even the same one, bumps the leader epoch; every change bumps the partition epoch.
    """

    ID: ClassVar[int] = 5
    SINCE: ClassVar[tuple[int, ...]] = (FIRST_METADATA_VERSION,) * 3
    OWN_FROM: ClassVar[int] = 1

    topic_id: bytes
    partition_id: int
    isr: tuple[int, ...] | None = None
    leader: int | None = None
    replicas: tuple[int, ...] | None = None
    removing_replicas: tuple[int, ...] | None = None
    adding_replicas: tuple[int, ...] | None = None
    elr: tuple[int, ...] | None = None
    last_known_elr: tuple[int, ...] | None = None
    leader_recovery_state: int | None = None
    reason: str | None = None
    """Why this leader, or none, was elected, in words; set whenever `leader` is."""
    directories: tuple[bytes, ...] | None = field(default=None, metadata={"version": 1})
    """If replicas change and this does not, each keeps its own and new ones have none."""
    why: Packed | None = field(default=None, metadata={"version": 2})
    """`reason` as a code with parameters (model/reasons.py)."""
    why_changed: Packed | None = field(default=None, metadata={"version": 2})
    """Why ISR, ELR or replicas change, if they do."""

    def of(self, topic_id: bytes, partition_id: int) -> PartitionChangeRecord:
        """The same change for another partition."""
        return PartitionChangeRecord(
            topic_id, partition_id, self.isr, self.leader, self.replicas, self.removing_replicas,
            self.adding_replicas, self.elr, self.last_known_elr, self.leader_recovery_state,
            self.reason, self.directories, self.why, self.why_changed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RemoveTopicRecord(MetadataRecord):
    """A topic is deleted, with its partitions and settings."""

    ID: ClassVar[int] = 9

    topic_id: bytes


@dataclass(frozen=True, slots=True)
class DelegationTokenRecord(MetadataRecord):
    """The complete state of a delegation token, when it is created and renewed (KIP-900)."""

    ID: ClassVar[int] = 10
    OWN_FROM: ClassVar[int] = 0

    token_id: str
    owner: tuple[str, ...]
    """(type, name), like all principals in records."""
    requester: tuple[str, ...]
    renewers: tuple[tuple[str, ...], ...]
    issued_ms: int
    expires_ms: int
    max_ms: int


@dataclass(frozen=True, slots=True)
class UserScramCredentialRecord(MetadataRecord):
    """A user's credential for one SCRAM mechanism, by its number (KIP-900)."""

    ID: ClassVar[int] = 11
    OWN_FROM: ClassVar[int] = 0

    user: str
    mechanism: int
    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int


@dataclass(frozen=True, slots=True)
class FeatureLevelRecord(MetadataRecord):
    """A feature's finalized level for the whole cluster; 0 removes it."""

    ID: ClassVar[int] = 12

    name: str
    level: int


@dataclass(frozen=True, slots=True)
class ClientQuotaRecord(MetadataRecord):
    """A quota of a user, a client, both together, or an address (KIP-546)."""

    ID: ClassVar[int] = 14
    OWN_FROM: ClassVar[int] = 0

    entity: tuple[tuple[str, str | None], ...]
    """(type, name), in the order of the types; a name of None is the default."""
    key: str
    value: float | None
    """None removes it."""


@dataclass(frozen=True, slots=True)
class ProducerIdsRecord(MetadataRecord):
    """A block of producer ids was allocated to a broker; `next_producer_id` starts the next one."""

    ID: ClassVar[int] = 15

    broker_id: int
    broker_epoch: int
    next_producer_id: int


@dataclass(frozen=True, slots=True)
class BrokerRegistrationChangeRecord(MetadataRecord):
    """A registered broker is fenced, unfenced, or shuts down; None leaves a field unchanged."""

    ID: ClassVar[int] = 17
    SINCE: ClassVar[tuple[int, ...]] = (FIRST_METADATA_VERSION,) * 2
    OWN_FROM: ClassVar[int] = 1

    broker_id: int
    broker_epoch: int
    fenced: bool | None = None
    in_controlled_shutdown: bool | None = None
    log_dirs: tuple[bytes, ...] | None = None
    why: Packed = field(default=NO_REASON, metadata={"version": 1})
    """The reason, as a code with parameters (model/reasons.py)."""


@dataclass(frozen=True, slots=True)
class AccessControlEntryRecord(MetadataRecord):
    """An ACL: allows or denies an operation on resources to a principal, by host (KIP-801).

    The numbers are those of model/access.py.
    """

    ID: ClassVar[int] = 18
    OWN_FROM: ClassVar[int] = 0

    acl_id: bytes
    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    host: str
    operation: int
    permission_type: int


@dataclass(frozen=True, slots=True)
class RemoveAccessControlEntryRecord(MetadataRecord):
    """An ACL was removed."""

    ID: ClassVar[int] = 19
    OWN_FROM: ClassVar[int] = 0

    acl_id: bytes


@dataclass(frozen=True, slots=True)
class RemoveUserScramCredentialRecord(MetadataRecord):
    """A user's credential for that SCRAM mechanism was removed."""

    ID: ClassVar[int] = 22
    OWN_FROM: ClassVar[int] = 0

    user: str
    mechanism: int


@dataclass(frozen=True, slots=True)
class RemoveDelegationTokenRecord(MetadataRecord):
    """A delegation token has expired, or was removed."""

    ID: ClassVar[int] = 26
    OWN_FROM: ClassVar[int] = 0

    token_id: str


@dataclass(frozen=True, slots=True)
class BatchStampRecord(MetadataRecord):
    """The time of a batch, as its first record; older logs have none. This is raftka's own: Kafka's
    batches have timestamps, but not the reason of a controller's election."""

    ID: ClassVar[int] = 1000
    OWN_FROM: ClassVar[int] = 0

    wall_ms: int
    """The wall clock of the controller that wrote it."""
    controller: int = NO_BROKER
    """The controller, in the first batch of its term."""
    reason: str = ""
    """Why it stood for election, in words."""


@dataclass(frozen=True, slots=True)
class BrokerCordonRecord(MetadataRecord):
    """The log directories of a broker that get no new replicas (KIP-1066).

    A record of its own, while Apache Kafka has a field in the registration: so a release that does
    not know it can read the metadata of a cluster without cordoned directories.
    """

    ID: ClassVar[int] = 23
    OWN_FROM: ClassVar[int] = 0

    broker_id: int
    broker_epoch: int
    cordoned_log_dirs: tuple[bytes, ...]


RECORDS: Final[tuple[type[MetadataRecord], ...]] = (
    RegisterBrokerRecord,
    UnregisterBrokerRecord,
    TopicRecord,
    PartitionRecord,
    ConfigRecord,
    PartitionChangeRecord,
    RemoveTopicRecord,
    DelegationTokenRecord,
    UserScramCredentialRecord,
    FeatureLevelRecord,
    ClientQuotaRecord,
    ProducerIdsRecord,
    BrokerRegistrationChangeRecord,
    AccessControlEntryRecord,
    RemoveAccessControlEntryRecord,
    RemoveUserScramCredentialRecord,
    RemoveDelegationTokenRecord,
    BatchStampRecord,
    BrokerCordonRecord,
)


def records_changed(lower: int, higher: int) -> bool:
    """Whether a record's layout at the metadata.version `higher` differs from that at `lower`."""
    return any(lower < since <= higher for record in RECORDS for since in record.SINCE)


def is_own(record: MetadataRecord) -> bool:
    """Whether nodes of releases before raftka.version 1 cannot read such a record."""
    return record.OWN_FROM == 0
