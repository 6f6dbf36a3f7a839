"""The events for changes of the cluster's metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from raftka.model.reasons import NO_REASON, Packed, Why, unpacked

if TYPE_CHECKING:
    from raftka.kraft.delta import MetadataDelta
    from raftka.kraft.image import MetadataImage, PartitionImage

Event = tuple[str, dict[str, Any]]
"""Kind and fields."""


def partition_event(
    topic: str, index: int, before: PartitionImage | None, after: PartitionImage
) -> Event | None:
    """The event for a change of a partition; None if no field of events has changed."""
    fields: dict[str, Any] = {"partition": f"{topic}-{index}", "leader": after.leader}
    led = None if before is None else (before.leader, before.leader_epoch)
    if before is None or led != (after.leader, after.leader_epoch):
        fields |= {"epoch": after.leader_epoch, "isr": list(after.isr), "elr": list(after.elr)}
        return "leader-elected", {**fields, "reason": after.reason, **_said(after.why)}
    if (before.isr, before.elr, before.replicas) == (after.isr, after.elr, after.replicas):
        return None
    fields |= {"isr": list(after.isr), "elr": list(after.elr), "replicas": list(after.replicas)}
    fields["partition_epoch"] = after.partition_epoch
    why = unpacked(after.why_changed)
    if why is not None:
        fields |= {"reason": str(why), **_said(after.why_changed)}
    return "isr-changed", fields


def _said(packed: Packed) -> dict[str, Any]:
    """The code and the parameters of a reason."""
    return {"code": packed[0], "with": dict(packed[1])} if packed else {}


def broker_event(
    before: MetadataImage, image: MetadataImage, broker_id: int, packed: Packed = NO_REASON
) -> Event | None:
    """The event for a change of a broker's registration, with its reason."""
    old, new = before.brokers.get(broker_id), image.brokers.get(broker_id)
    if new is None:
        why = Why("broker-unregistered", broker=broker_id)
        return "broker-unregistered", {
            "broker": broker_id,
            "reason": str(why),
            **_said(why.packed()),
        }
    if old is None or old.epoch != new.epoch:
        return "broker-registered", {"broker": broker_id, "epoch": new.epoch}
    if old.fenced != new.fenced:
        kind = "broker-fenced" if new.fenced else "broker-unfenced"
        fields: dict[str, Any] = {"broker": broker_id, "epoch": new.epoch}
        if (said := unpacked(packed)) is not None:
            fields |= {"reason": str(said), **_said(packed)}
        return kind, fields
    return None


def changes(before: MetadataImage, image: MetadataImage, delta: MetadataDelta) -> Iterator[Event]:
    """The events of one delta; brokers first, since elections follow from their changes."""
    for broker_id in delta.brokers.changed:
        why = delta.brokers.reasons.get(broker_id, NO_REASON)
        if found := broker_event(before, image, broker_id, why):
            yield found
    for name, indexes in delta.topics.changed.items():
        for index in indexes:
            after = image.partition(name, index)
            if after is not None and (
                found := partition_event(name, index, before.partition(name, index), after)
            ):
                yield found
