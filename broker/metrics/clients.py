"""Metrics that clients have pushed (KIP-714), with the prefix kafka_client_."""

from __future__ import annotations

import re
from collections.abc import Iterator

from raftka.broker.client_metrics import ClientMetrics
from raftka.broker.metrics.families import Family, Kind, Sample, labels

_COMMON = "org.apache.kafka."


def clients(metrics: ClientMetrics, now_ms: int) -> Iterator[Family]:
    """One family for each metric, with the client and its labels."""
    found: dict[tuple[str, bool], list[Sample]] = {}
    for (client_id, instance_id), points in metrics.shown(now_ms).items():
        for point in points.values():
            pairs = {name: value for name, value in point.labels if name}
            pairs |= {"client_id": client_id, "client_instance_id": instance_id}
            found.setdefault((point.name, point.is_sum), []).append((labels(**pairs), point.value))
    for (name, is_sum), samples in sorted(found.items()):
        plain = re.sub(r"\W", "_", name.removeprefix(_COMMON))
        end = "_total" if is_sum and not plain.endswith("_total") else ""
        words = f"{name}, as clients have sent it."
        kind: Kind = "counter" if is_sum else "gauge"
        yield Family((f"kafka_client_{plain}{end}",), kind, words, samples)
