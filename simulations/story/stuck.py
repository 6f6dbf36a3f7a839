"""The story of a condition that does not come true: the present state, and the last events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from raftka.simulations.story.chronicle import LINKS, Chronicle, Event, NodeScene, Scene
from raftka.simulations.story.follower import asked_tables
from raftka.simulations.story.partition import PartitionStory
from raftka.simulations.story.story import Row, Story, Table, prune
from raftka.simulations.story.words import brokers, hosts, sentence

ROWS_MAX: Final = 30
_FAULTS: Final = 8
_LOGS: Final = 12
_PARTITIONS: Final = 8
_KINDS: Final[dict[str, float]] = {
    "controller-elected": 2.0,
    "broker-registered": 1.5,
    "broker-fenced": 2.0,
    "broker-unfenced": 1.5,
    "start": 1.5,
    "serving": 1.2,
    "stopped": 1.5,
    "crashed": 2.5,
    "kill": 1.5,
    "power-loss": 1.5,
    "wipe": 2.0,
    "pause": 1.5,
    "resume": 1.5,
    "heal": 3.0,
    "voters-changed": 2.0,
    "violation": 9.0,
}


def stuck_story(chronicle: Chronicle) -> Story:
    """The state of nodes, quorum and partitions, the last faults, and the log lines."""
    story, scene = Story(), chronicle.scene
    if scene is None:
        story.trouble = "run again, it did not fail"
        return story
    story.facts += _facts(chronicle, scene)
    story.tables.append(_nodes(chronicle, scene))
    if (partitions := _partitions(chronicle, scene)).rows:
        story.tables.append(partitions)
    story.tables += asked_tables(chronicle, scene)
    story.tables += [table for table in (_faults(chronicle), _logs(chronicle)) if table.rows]
    if chronicle.about.partition is not None and chronicle.about.node != "":
        told = PartitionStory(chronicle, "").tell()
        story.record = told.record
        story.title, story.columns = told.title, told.columns
        story.timeline, story.left_out = told.timeline, told.left_out
        return story
    rows = [
        Row(event["t"], sentence(event), _KINDS[event["kind"]], (), event)
        for event in chronicle.events
        if event["kind"] in _KINDS
    ]
    story.timeline, story.left_out = prune(rows, ROWS_MAX, [scene.at_s])
    story.title = "the cluster, event by event"
    return story


def _facts(chronicle: Chronicle, scene: Scene) -> Iterator[tuple[str, str]]:
    if scene.controller is None:
        yield "controller", "none has shown itself"
    else:
        since = next(
            (e["t"] for e in reversed(chronicle.events) if e["kind"] == "controller-elected"), 0.0
        )
        node = next((each for each in scene.nodes if each.host == scene.controller), None)
        state = "" if node is None else f"; it {_state(node)}"
        yield "controller", f"{scene.controller}, in term {scene.term}, since {since:.3f} s{state}"
    yield "committed", f"the metadata log up to entry {scene.commit_index}"
    if scene.cuts:
        yield "links", sentence({"kind": LINKS, "cut": sorted(scene.cuts), "healed": []})
    else:
        yield "links", "every host reaches every other"
    for name, count in scene.waiting.items():
        yield "waiting", f"{name} for {count} answers"


def _state(node: NodeScene) -> str:
    if node.broken:
        return f"must not be started: {node.broken}"
    if not node.life:
        return "is down"
    if node.is_paused:
        return "is paused"
    return "runs" if node.is_serving else "is starting"


def _nodes(chronicle: Chronicle, scene: Scene) -> Table:
    head = ("node", "state", "since", "life", "broker", "term", "vote", "log ends", "committed")
    table = Table("the nodes", head)
    for node in scene.nodes:
        kinds = ("start", "serving", "kill", "power-loss", "stopped", "crashed", "pause", "resume")
        since = next(
            (
                f"{event['t']:.3f}"
                for event in reversed(chronicle.events)
                if event.get("node") == node.host and event["kind"] in kinds
            ),
            "",
        )
        broker = "-"
        if "broker" in node.roles:
            broker = "unfenced" if not node.is_fenced else "fenced"
            if not node.is_registered:
                broker = "not registered"
        table.rows.append(
            (
                *(node.host, _state(node), since, str(node.life or "-"), broker, str(node.term)),
                *(node.vote, str(node.last_index), str(node.commit_index)),
            )
        )
    return table


def _partitions(chronicle: Chronicle, scene: Scene) -> Table:
    """Partitions that are not as they should be, and the one that the violation is about."""
    table = Table(
        "partitions that are not well",
        ("partition", "leader", "epoch", "ISR", "ELR", "replicas", "logs end at", "why so"),
    )
    key = chronicle.about.partition
    own = f"{key[0]}-{key[1]}" if key is not None else ""
    for name, each in sorted(scene.partitions.items(), key=lambda each: each[0] != own):
        well = each.has_leader and set(each.isr) == set(each.replicas) and not each.is_reassigning
        ends = {b: scene.logs.get((f"n{b}", name), (0, 0))[1] for b in each.replicas}
        if well and name != own and len(set(ends.values())) == 1:
            continue
        if len(table.rows) == _PARTITIONS:
            table.rows.append(("and more", *(7 * [""])))
            break
        table.rows.append(
            (
                *(name, f"n{each.leader}" if each.has_leader else "-", str(each.leader_epoch)),
                *(brokers(each.isr), brokers(each.elr), brokers(each.replicas)),
                " ".join(f"n{broker}:{end}" for broker, end in ends.items()),
                each.reason[:60],
            )
        )
    return table


def _faults(chronicle: Chronicle) -> Table:
    table = Table("the last faults before everything was healed", ("begun", "fault", "hit"))
    hit: dict[int, set[str]] = {}
    for event in chronicle.events:
        if event.get("cause") and event.get("node"):
            hit.setdefault(event["cause"], set()).add(event["node"])
    faults = [event for event in chronicle.events if event["kind"] == "fault"]
    for event in faults[-_FAULTS:]:
        names = hit.get(event["id"])
        table.rows.append((f"{event['t']:.3f}", sentence(event)[6:], hosts(names) if names else ""))
    return table


def _logs(chronicle: Chronicle) -> Table:
    """The errors of nodes and clients since everything was healed, the newest of each kind."""
    table = Table("what logs say since then, the last of each kind", ("at", "times", "words"))
    healed = next((n for n, event in enumerate(chronicle.events) if event["kind"] == "heal"), 0)
    found: dict[tuple[str, str], list[Event]] = {}
    for event in chronicle.events[healed:]:
        if event["kind"] == "log" and event["level"] in ("warning", "error"):
            found.setdefault((event.get("node", ""), event["words"]), []).append(event)
        elif event["kind"] in ("send-refused", "consumer-failed", "refused"):
            found.setdefault((event.get("node", ""), event["kind"]), []).append(event)
    for lines in sorted(found.values(), key=lambda each: each[-1]["t"])[-_LOGS:]:
        table.rows.append((f"{lines[-1]['t']:.3f}", str(len(lines)), sentence(lines[-1])[:110]))
    return table
