"""The actions of one run as plain data, so that it can be shrunk and kept.

`load/draw.py` draws it from a seed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

DEFAULT_DURATION_S = 60.0
QUORUMS = ("static", "standalone", "initial-controllers")
"""Static voters; or dynamic voters, at first one or all of the controllers."""
GROUP_KINDS = ("share", "streams", "reluctant")
"""Share groups, streams groups, and consumer groups whose members keep revoked partitions
(load/reluctant.py).
"""


@dataclass(frozen=True)
class NodePlan:
    node_id: int
    roles: str = "broker,controller"
    rack: str = ""


@dataclass(frozen=True)
class TopicPlan:
    name: str
    partitions: int
    replication_factor: int
    configs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProducerPlan:
    name: str
    topic: str
    acks: int
    idempotent: bool
    records_per_burst: int
    pause_s: float
    """Mean time between bursts."""
    settings: dict[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True)
class TransactorPlan:
    """A producer with transactions; its name is its transactional.id."""

    name: str
    topic: str
    records_per_burst: int
    pause_s: float
    """Mean time between transactions."""
    source: str = ""
    """The topic that a transformer reads; empty for one that only writes."""
    group: str = ""
    """The consumer group of a transformer; by default one of its own."""
    exchanges: bool = False
    """Whether it also reads its own topic within its transactions, together with others."""
    settings: dict[str, int | str] = field(default_factory=dict)

    @property
    def reads_as(self) -> str:
        """The group of a transformer."""
        return self.group or f"{self.name}-group"


@dataclass(frozen=True)
class ConsumerPlan:
    name: str
    topics: tuple[str, ...]
    group: str | None = None
    settings: dict[str, int | str] = field(default_factory=dict)
    begins_s: float = 0.0


@dataclass(frozen=True)
class GroupPlan:
    """A share, streams or reluctant group, whose members come, work and die."""

    name: str
    kind: str
    """One of GROUP_KINDS."""
    topics: tuple[str, ...]
    members: int
    configs: dict[str, str] = field(default_factory=dict)
    """The group's own settings, as kafka-configs sets them."""


@dataclass(frozen=True)
class Step:
    """A timed action: an operation of an administrator, or a fault."""

    at_s: float
    kind: str
    name: str
    """Unique; its dice are seeded with it."""
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    seed: int
    duration_s: float = DEFAULT_DURATION_S
    nodes: tuple[NodePlan, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    topics: tuple[TopicPlan, ...] = ()
    producers: tuple[ProducerPlan, ...] = ()
    consumers: tuple[ConsumerPlan, ...] = ()
    transactors: tuple[TransactorPlan, ...] = ()
    groups: tuple[GroupPlan, ...] = ()
    operations: tuple[Step, ...] = ()
    faults: tuple[Step, ...] = ()
    quorum: str = "static"
    """How the quorum is formatted: one of QUORUMS."""
    mutation: str | None = None
    rules_off: tuple[str, ...] = ()
    """Rules of model/rules.py, besides the mutation's, that are switched off; by name, such as
    "vote-is-persisted".
    """
    strict_acks_1: bool = False
    """Hold acks=1 to the guarantees of acks=all: a control that must fail."""
    no_excuses: bool = False
    """Hold unclean elections to the guarantees of clean ones: a control that must fail."""
    drift: dict[str, float] = field(default_factory=dict)
    """How fast each host's clock runs."""
    quorum_batch_entries: int = 4096
    """The most entries of the metadata log in one message."""
    network_delay_s: float = 0.0003
    split_rate: float = 0.02
    bridge_port: int = 0
    """The port at which clients from outside reach node 1; node n is n - 1 ports later. 0: none."""

    def dumps(self) -> str:
        """Readable JSON: one line for each step."""
        data = asdict(self)
        lines = []
        for name, value in data.items():
            if isinstance(value, (list, tuple)) and value:
                items = ",\n  ".join(json.dumps(item) for item in value)
                lines.append(f" {json.dumps(name)}: [\n  {items}\n ]")
            else:
                lines.append(f" {json.dumps(name)}: {json.dumps(value)}")
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def loads(cls, text: str) -> Plan:
        """A plan from the text of `dumps`. Raises ValueError or TypeError for any other text."""
        data = json.loads(text)
        kinds: dict[str, type] = {
            "nodes": NodePlan,
            "topics": TopicPlan,
            "producers": ProducerPlan,
            "consumers": ConsumerPlan,
            "transactors": TransactorPlan,
            "groups": GroupPlan,
            "operations": Step,
            "faults": Step,
        }
        for name, kind in kinds.items():
            data[name] = tuple(kind(**item) for item in data.get(name, ()))
        data["rules_off"] = tuple(data.get("rules_off", ()))
        for name in ("consumers", "groups"):
            data[name] = tuple(replace(each, topics=tuple(each.topics)) for each in data[name])
        return cls(**data)


@dataclass(frozen=True)
class Options:
    """The user's choices; the rest is drawn."""

    seed: int
    nodes: int | None = None
    """None: three, and now and then a fourth that is a broker only."""
    combined: bool = True
    duration_s: float = DEFAULT_DURATION_S
    mutation: str | None = None
    faults: tuple[str, ...] | None = None
    """Only these kinds; None for all, each drawn."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Faults per minute by kind, instead of a drawn rate; 0 switches a kind off."""
    load: float = 1.0
    quorum: str | None = None
    """One of QUORUMS, instead of a drawn one."""
    control: str | None = None
    """A change after which data must be lost; see simulations/runs/controls.py."""
    own: str | None = None
    """A file with a user's own workload and invariants; see simulations/runs/user_file.py."""
