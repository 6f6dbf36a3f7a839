"""The story of the metadata quorum: votes, entries on disks, leaders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from raftka.simulations.story.chronicle import LINKS, Chronicle, Event, Scene
from raftka.simulations.story.story import Moment, Row, Story, Table, prune
from raftka.simulations.story.words import hosts, is_node, sentence

ROWS_MAX: Final = 40
_SILENCE: Final = ("leader-without-majority",)
_MACHINES: Final[Mapping[str, float]] = {
    "kill": 2.5,
    "power-loss": 2.5,
    "crashed": 2.5,
    "stopped": 2.0,
    "metadata-disk-lost": 3.0,
    "pause": 2.0,
    "resume": 2.0,
    "start": 2.0,
    "shutdown": 1.0,
    "unsynced-lost": 2.0,
    "fsync-error": 2.0,
    "lost-pages": 2.0,
    "write-error": 2.0,
    "clog": 0.8,
    "slow-network": 0.5,
    "voters-changed": 3.0,
    "quorum-truncate": 2.5,
    "quorum-snapshot": 2.0,
    "violation": 9.0,
}


class _Quorum:
    def __init__(self, chronicle: Chronicle, scene: Scene, name: str) -> None:
        self.about = chronicle.about
        self.events = chronicle.events
        self.scene = scene
        self.term = self.about.term
        self.index = self.about.index
        self.by_id = chronicle.by_id
        known = scene.committed.get(self.index or 0)
        self.terms = {self.term, known[0] if known is not None else None}
        self.heard = self._last_heard() if name in _SILENCE else []

    # Facts.

    def facts(self) -> Iterator[tuple[str, str]]:
        if self.term is not None:
            leaders = [e for e in self.events if e["kind"] == "controller-elected"]
            for event in leaders:
                if event["epoch"] in self.terms:
                    votes = hosts(event.get("votes", ())) if event.get("votes") else "itself"
                    words = f"{event['node']} since {event['t']:.3f} s, with the votes of {votes}"
                    yield f"term {event['epoch']}", words
            if not any(event["epoch"] == self.term for event in leaders):
                yield f"term {self.term}", "no node has shown itself as its leader yet"
        if self.index is not None:
            known = self.scene.committed.get(self.index)
            words = f"entry {self.index} of the metadata log"
            if known is not None:
                words += f", of term {known[0]}; {known[1]} announced it as committed at"
                words += f" {known[2]:.3f} s"
            else:
                words += ", which no node had announced as committed"
            yield "the entry", words

        if self.heard:
            words = ", ".join(f"{peer} at {at_s:.3f} s" for peer, at_s in self.heard)
            yield "heard last", f"by {self.about.node}, of the other voters: {words}"

    def _last_heard(self) -> list[tuple[str, float]]:
        """When a message of each other voter last reached the node of the story."""
        peers = [n.host for n in self.scene.nodes if n.last_index and "controller" in n.roles]
        found = {peer: 0.0 for peer in peers if peer != self.about.node}
        for event in self.events:
            received = event["kind"] == "message-received" and event["node"] == self.about.node
            if received and event["from"] in found:
                found[event["from"]] = event["t"]
        return sorted(found.items(), key=lambda each: -each[1])

    def moment(self) -> Moment:
        """The time from which fewer than a majority had the entry."""
        values: dict[str, Any]
        if self.heard:
            # Of n voters, n // 2 others and itself are a majority.
            peer, at_s = self.heard[(len(self.heard) + 1) // 2 - 1]
            words = f"from {at_s:.3f} s on no majority reached {self.about.node}: that was when it"
            values = {"t": at_s, "node": self.about.node or "", "peer": peer}
            return Moment(f"{words} last heard {peer}", at_s, "no-majority", values)
        if self.index is None:
            return Moment()
        stays = self.holders()
        gone = [(until, host, why) for host, _, until, why in stays if until is not None]
        if not gone:
            return Moment()
        until, host, why = gone[-1]
        left = {h for h, _, end, _ in stays if end is None} - {host}
        words = f"from {until:.3f} s on {host} no longer had entry {self.index}: it {why}."
        said = f"{words} {hosts(left)} had it on disk" if left else words
        values = {"t": until, "node": host, "index": self.index}
        return Moment(said, until, "entry-gone", values)

    def holders(self) -> list[tuple[str, float, float | None, str]]:
        """(host, since, until, why) of the entry on each disk."""
        found: list[tuple[str, float, float | None, str]] = []
        open_at: dict[str, float] = {}
        index = self.index or 0
        for event in self.events:
            kind, node = event["kind"], event.get("node", "")
            if kind == "quorum-truncate" and event["index"] <= index and node in open_at:
                found.append((node, open_at.pop(node), event["t"], "cut its metadata log"))
            elif kind == "metadata-disk-lost" and node in open_at:
                found.append((node, open_at.pop(node), event["t"], "lost the disk"))
            elif kind == "quorum-append" and event["first_index"] <= index <= event["last_index"]:
                if node in open_at:
                    found.append((node, open_at.pop(node), event["t"], "wrote it again"))
                open_at[node] = event["t"]
            elif kind == "quorum-snapshot" and event["index"] >= index:
                open_at.setdefault(node, event["t"])
        found += [(node, since, None, "") for node, since in open_at.items()]
        return sorted(found, key=lambda each: (each[2] or 1e9, each[0]))

    # Tables.

    def voters(self) -> Table:
        head = ("node", "term", "vote", "last entry", "committed", "process")
        table = Table("what the disks of the quorum say at the end", head)
        for node in self.scene.nodes:
            if "controller" not in node.roles and not node.last_index:
                continue
            state = f"life {node.life}" if node.life else "down"
            table.rows.append(
                (
                    *(node.host, str(node.term), node.vote, str(node.last_index)),
                    *(str(node.commit_index), f"{state}, paused" if node.is_paused else state),
                )
            )
        return table

    def entry(self) -> Table:
        table = Table(
            f"entry {self.index} on the disks", ("node", "written", "term", "until", "when it")
        )
        for host, since, until, why in sorted(self.holders(), key=lambda each: each[1]):
            term = next(
                (
                    str(e["term"])
                    for e in self.events
                    if e.get("node") == host and e["t"] == since and "term" in e
                ),
                "",
            )
            end = f"{until:.3f}" if until is not None else "still"
            table.rows.append((host, f"{since:.3f}", term, end, why))
        return table

    # The timeline.

    def rows(self) -> Iterator[Row]:
        controller, term = "-", 0
        for event in self.events:
            found = self._weight(event)
            if event["kind"] == "controller-elected" and event["epoch"] > term:
                controller, term = event["node"], event["epoch"]
            if found is not None:
                weight, words = found
                cause = self.by_id.get(event.get("cause", 0), {})
                if cause.get("kind") == "fault":
                    words += f" ({cause['name']})"
                columns = (controller, str(term))
                yield Row(event["t"], words, weight, columns, event)

    def _weight(self, event: Event) -> tuple[float, str] | None:
        kind = event["kind"]
        if kind == "violation":
            return 9.0, f"{event['name']} is seen"
        if kind == "controller-elected":
            return 3.0, sentence(event)
        if kind == LINKS:
            own = {
                name: [pair for pair in event[name] if all(map(is_node, pair))]
                for name in ("cut", "healed")
            }
            return (2.0, sentence({**event, **own})) if own["cut"] or own["healed"] else None
        if kind == "clog" and not (is_node(event["source"]) and is_node(event["target"])):
            return None
        if kind == "start" and event.get("life", 1) == 1:
            return None
        if kind in _MACHINES:
            return _MACHINES[kind], sentence(event)
        if kind in ("quorum-term", "quorum-vote"):
            return (2.5, sentence(event)) if event["term"] in self.terms else None
        if kind == "quorum-append" and self.index is not None:
            has = event["first_index"] <= self.index <= event["last_index"]
            return (3.5, sentence(event)) if has else None
        if kind == "quorum-commit" and self.index is not None:
            known = self.scene.committed.get(self.index)
            first = event["index"] >= self.index and known is not None
            return (1.5, sentence(event)) if first and self._first(event) else None
        return self._message(event)

    def _first(self, event: Event) -> bool:
        """Whether it is the first of its kind on this node that covers the entry."""
        for each in self.events:
            its = each["kind"] == "quorum-commit" and each["node"] == event["node"]
            if its and each["index"] >= (self.index or 0):
                return each is event
        return False

    def _message(self, event: Event) -> tuple[float, str] | None:
        if event.get("protocol") != "raft" or event["kind"] != "message-sent":
            return None
        api, term = event["api"], event["term"]
        if api == "end-epoch":
            return 2.0, sentence(event)
        if api == "vote" and term in self.terms:
            if event["side"] == "request":
                return 2.0, f"{event['node']} asks {event['to']} for its vote in term {term}"
            return 2.5, f"{event['node']} votes for {event['to']} in term {term}"
        acknowledges = api == "append-entries" and event["side"] == "response"
        index = self.index if self.index is not None else -1
        has = acknowledges and event.get("success") and event.get("next_index") == index + 1
        if has and term in self.terms:
            return 1.5, f"{event['node']} acknowledges entry {index} to {event['to']}"
        return None


def quorum_story(chronicle: Chronicle, name: str) -> Story:
    """The story of a term and of an entry."""
    story = Story()
    if chronicle.scene is None:
        story.trouble = "run again, it did not fail"
        return story
    quorum = _Quorum(chronicle, chronicle.scene, name)
    story.facts += quorum.facts()
    story.tables.append(quorum.voters())
    if quorum.index is not None:
        story.tables.append(quorum.entry())
    story.came_to(quorum.moment())
    rows = list(quorum.rows())
    telling = [row.at_s for row in rows if row.weight >= 3]
    story.timeline, story.left_out = prune(rows, ROWS_MAX, [*telling, chronicle.scene.at_s])
    story.title, story.columns = "the quorum, event by event", ("controller", "term")
    return story
