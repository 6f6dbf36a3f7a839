"""Three real nodes write their traces; merged, they show an election with its cause."""

from __future__ import annotations

import json
from pathlib import Path

from raftka.local_cluster import LocalCluster
from raftka.tracing.kinds import COMMON, KINDS
from raftka.tracing.merge import merge
from tests.support.processes import Load, partitions, until
from tests.wire.test_cluster_life import SETTINGS, create


def test_merged_traces_tell_an_election_with_its_cause(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "cluster", settings=SETTINGS) as cluster:
        files = {node: tmp_path / f"n{node}.jsonl" for node in cluster.node_ids}
        for node, path in files.items():
            cluster.configure(node, {"raftka.trace.file": str(path)})
        cluster.start(60)
        ports = {node: cluster.ports[node] for node in cluster.node_ids}
        create(ports[1], "traced", [3, 1, 2])
        with Load(cluster.bootstrap, "traced") as load:
            load.progress()
            cluster.kill(3)
            until(lambda: partitions(ports[1], "traced")[0].leader_id in (1, 2), "another leader")
            load.progress()
        for node in (1, 2):
            cluster.stop_node(node)
    lines = [path.read_text().splitlines(keepends=True) for path in files.values()]
    events = [json.loads(json.dumps(event)) for event in merge(lines)]
    for event in events:
        kind = KINDS[event["kind"]]
        fields = set(event) - set(COMMON)
        assert set(kind.fields) <= fields, event
        assert kind.is_open or fields <= {*kind.fields, *kind.optional}, event
    by_id = {event["id"]: event for event in events}
    assert list(by_id) == list(range(1, len(events) + 1))
    elected = [
        event
        for event in events
        if event["kind"] == "leader-elected"
        and event["partition"] == "traced-0"
        and event["leader"] in (1, 2)
        and event.get("cause")
    ]
    causes = [by_id[event["cause"]] for event in elected]
    fenced = next(e for e in causes if e["kind"] == "broker-fenced" and e["broker"] == 3)
    lost = by_id[fenced["cause"]]
    assert (lost["kind"], lost["peer"]) == ("connection-lost", "n3")
    marks = [e for e in events if e["kind"] == "high-watermark" and e["partition"] == "traced-0"]
    assert {event["node"] for event in marks} >= {"n1", "n2"}
    received = [e for e in events if e["kind"] == "message-received" and e["from"] in ("n1", "n2")]
    linked = [e for e in received if by_id.get(e.get("cause", 0), {}).get("kind") == "message-sent"]
    assert len(linked) > 0.9 * len(received)
