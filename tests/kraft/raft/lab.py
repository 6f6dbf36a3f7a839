"""A laboratory for the quorum: a few engines, and every message delivered by hand.

A script is a list of commands, one per line; `Lab.run` carries them out and describes their
effects. Time passes only by `wait`; a message arrives only by `deliver`. Disks are durable after
each step, as the driver makes them.

    nodes 3                     three voters, with links between all, by controller.quorum.voters
    dynamic 3                   the same, but the log names the voters (KIP-853)
    lead 1                      node 1 is elected; the events of that are not shown
    observers 1                 nodes that are not voters
    wait 1.5                    seconds pass for everyone; what has a deadline in it happens then
    deliver                     deliver what is on its way, and what follows, until all is quiet
    deliver 1 2                 deliver only the next message from node 1 to node 2
    lose 1 2                    lose what is on its way from node 1 to node 2
    cut 1 2                     break the link between two nodes, which both notice
    silence 1 2                 lose everything between two nodes from now on, unnoticed by both
    link 1 2                    restore the link
    propose 1 topic-a           node 1 appends an entry
    snapshot 1                  node 1 writes a snapshot and forgets the log before it
    crash 1 / start 1           the process ends / starts on its disk
    wipe 1                      a crashed node loses its disk
    resign 1                    node 1 gives up leadership
    remove 1 3                  node 1 removes voter 3
    status                      what each node knows
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import combinations
from random import Random
from typing import Any

from raftka.kraft.raft.codec import Message, decode, encode
from raftka.kraft.raft.engine import STAMP, Committed, Engine, LeaderChanged
from raftka.kraft.raft.follower import QuorumCorrupt
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import NotLeader, ProposalVoid, QuorumSettings, ReplicaKey, Voter
from raftka.kraft.raft.reconfiguration import NotYet
from raftka.kraft.raft.seams import CANDIDATE, LEADER, MEMBERSHIP
from raftka.kraft.raft.snapshots import write_first_voters
from raftka.kraft.raft.store import Store
from raftka.simulations.machines.disk import SimDisk
from raftka.simulations.machines.medium import Medium

SETTINGS = QuorumSettings(election_timeout_s=1.0)
_STEP_S = 0.01
_DELIVERIES_MAX = 500


def key(number: int) -> ReplicaKey:
    """The key of a node."""
    return ReplicaKey(number, bytes([number]) * 16)


class Lab:
    """The engines, the messages in flight between them, and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.voters = VoterSet()
        self.media: dict[int, Medium] = {}
        self.engines: dict[int, Engine] = {}
        self.on_the_way: dict[tuple[int, int], deque[Message]] = {}
        self.links: set[frozenset[int]] = set()
        self.silent: set[frozenset[int]] = set()
        self.known: dict[int, tuple[Any, ...]] = {}
        self.dynamic = False
        self.said: list[str] = []

    def run(self, command: str) -> Iterator[str]:
        """The effects of a command as lines of text."""
        word, *arguments = command.split()
        yield from getattr(self, f"do_{word}")(*arguments)

    # Commands.

    def do_nodes(self, count: str) -> Iterator[str]:
        numbers = range(1, int(count) + 1)
        self.voters = VoterSet(Voter(n, key(n).directory_id) for n in numbers)
        yield from self._begin(numbers)

    def do_dynamic(self, count: str) -> Iterator[str]:
        self.dynamic = True
        yield from self.do_nodes(count)

    def do_lead(self, number: str) -> Iterator[str]:
        engine = self.engines[int(number)]
        for _ in range(_DELIVERIES_MAX):
            if engine.is_leader and not any(self.on_the_way.values()):
                break
            self.now += _STEP_S
            for _ in self._step(int(number)):
                pass
            for _ in self.do_deliver():
                pass
        yield f"node {number} leads term {engine.term}; its log ends with {engine.log.last_index}"

    def do_observers(self, count: str) -> Iterator[str]:
        first = len(self.media) + 1
        yield from self._begin(range(first, first + int(count)))

    def _begin(self, numbers: range) -> Iterator[str]:
        before = list(self.engines)
        for number in numbers:
            self.media[number] = Medium(Random(number))
            self._start(number)
        for one, other in combinations([*before, *numbers], 2):
            if other in numbers:
                yield from self.do_link(str(one), str(other))

    def do_wait(self, seconds: str) -> Iterator[str]:
        end = self.now + float(seconds)
        while self.now < end - 1e-9:
            self.now = min(self.now + _STEP_S, end)
            for number, engine in list(self.engines.items()):
                if engine.next_deadline() <= self.now:
                    yield from self._step(number)

    def do_deliver(self, *pair: str) -> Iterator[str]:
        if pair:
            sender, receiver = map(int, pair)
            yield from self._deliver(sender, receiver)
            return
        for _ in range(_DELIVERIES_MAX):
            waiting = [ends for ends, queue in sorted(self.on_the_way.items()) if queue]
            if not waiting:
                return
            for sender, receiver in waiting:
                yield from self._deliver(sender, receiver)
        yield "it does not become quiet"

    def do_lose(self, sender: str, receiver: str) -> Iterator[str]:
        queue = self.on_the_way.pop((int(sender), int(receiver)), deque())
        for message in queue:
            yield f"lost: {sender} -> {receiver}: {words(message)}"

    def do_cut(self, *pair: str) -> Iterator[str]:
        one, other = map(int, pair)
        self.links.discard(frozenset((one, other)))
        for ends in ((one, other), (other, one)):
            self.on_the_way.pop(ends, None)
            if ends[0] in self.engines:
                self.engines[ends[0]].link_down(key(ends[1]))
                yield from self._step(ends[0])

    def do_silence(self, *pair: str) -> Iterator[str]:
        self.silent.add(frozenset(map(int, pair)))
        yield from ()

    def do_link(self, *pair: str) -> Iterator[str]:
        one, other = map(int, pair)
        self.silent.discard(frozenset((one, other)))
        self.links.add(frozenset((one, other)))
        for end, peer in ((one, other), (other, one)):
            self.engines[end].link_up(key(peer))
            yield from self._step(end)

    def do_propose(self, number: str, *payload: str) -> Iterator[str]:
        engine = self.engines[int(number)]
        words_of = " ".join(payload)

        def done(offset: int, error: Exception | None) -> None:
            how = "is committed" if error is None else f"is lost: {error}"
            self.said.append(f"its caller hears that {words_of} {how}")

        try:
            offset = engine.propose(words_of.encode(), engine.term, None, done)
            yield f"node {number} appends {words_of} as entry {offset} of term {engine.term}"
        except (NotLeader, ProposalVoid) as error:
            yield f"node {number} refuses {words_of}: {error}"
        yield from self._step(int(number))

    def do_snapshot(self, number: str) -> Iterator[str]:
        engine = self.engines[int(number)]
        snapshot = engine.snapshot_of(b"the state")
        engine.store.write_snapshot(snapshot)
        engine.adopt_snapshot(snapshot)
        engine.store.sync()
        yield f"node {number} has a snapshot up to entry {snapshot.index} of term {snapshot.term}"

    def do_crash(self, number: str) -> Iterator[str]:
        del self.engines[int(number)]
        self.known.pop(int(number))
        for pair in [each for each in sorted(self.links, key=sorted) if int(number) in each]:
            yield from self.do_cut(*map(str, sorted(pair)))

    def do_start(self, number: str) -> Iterator[str]:
        self._start(int(number))
        for other in sorted(self.engines):
            if other != int(number):
                yield from self.do_link(number, str(other))

    def do_wipe(self, number: str) -> Iterator[str]:
        self.media[int(number)] = Medium(Random(int(number)))
        yield from ()

    def do_resign(self, number: str) -> Iterator[str]:
        self.engines[int(number)].resign()
        yield from self._step(int(number))

    def do_remove(self, number: str, voter: str) -> Iterator[str]:
        engine = self.engines[int(number)]
        try:
            engine.remove_voter(key(int(voter)), lambda offset, error: None)
            yield f"node {number} appends a voter set without node {voter}"
        except (NotLeader, NotYet) as error:
            yield f"node {number} does not remove node {voter}: {error}"
        yield from self._step(int(number))

    def do_status(self) -> Iterator[str]:
        for number, engine in sorted(self.engines.items()):
            leader = f"node {engine.leader_id}" if engine.leader_id is not None else "no leader"
            ends = f"log {engine.log.base_index + 1}..{engine.log.last_index}"
            yield (
                f"node {number}: term {engine.term}, {_role(engine)}, knows {leader}, {ends}, "
                f"committed up to {engine.commit_index}"
            )

    # Helpers.

    def _start(self, number: int) -> None:
        votes = any(voter.id == number for voter in self.voters)
        disk = SimDisk(self.media[number])
        if self.dynamic and not disk.is_dir("/log"):
            write_first_voters(disk, "/log", list(self.voters))
        store = Store(disk, "/log")
        self.engines[number] = Engine(
            key(number),
            store,
            can_vote=votes,
            static_voters=None if self.dynamic else self.voters,
            settings=SETTINGS,
            dice=Random(number),
            now=self.now,
        )
        self.known[number] = self._state(number)

    def _deliver(self, sender: int, receiver: int) -> Iterator[str]:
        queue = self.on_the_way.get((sender, receiver))
        if not queue:
            yield f"nothing is on its way from node {sender} to node {receiver}"
            return
        message = queue.popleft()
        if receiver in self.engines:
            yield f"{sender} -> {receiver}: {words(message)}"
            self.engines[receiver].at(self.now)
            try:
                self.engines[receiver].deliver(key(sender), message)
                yield from self._step(receiver)
            except QuorumCorrupt as error:
                yield f"  node {receiver} stops: {error}"
                del self.engines[receiver]

    def _step(self, number: int) -> Iterator[str]:
        engine = self.engines[number]
        engine.at(self.now)
        engine.tick()
        while engine.store.dirty:
            engine.store.sync()
            if engine.wants_tick:
                engine.tick()
        for receiver, message in engine.take_outbox():
            if frozenset((number, receiver.id)) in self.silent:
                continue
            copy = decode(encode(message)[4:])
            self.on_the_way.setdefault((number, receiver.id), deque()).append(copy)
        yield from self._changes(number, engine)

    def _changes(self, number: int, engine: Engine) -> Iterator[str]:
        """What the step changed, with the time where it is not an answer to a message."""
        before, self.known[number] = self.known[number], self._state(number)
        term, role, end, commit, voted = self.known[number]
        if role != before[1] or (term != before[0] and role != "follower"):
            yield f"  node {number} is {role} in term {term}"
        elif term != before[0]:
            yield f"  node {number} is in term {term}"
        if voted != before[4] and voted not in (None, number):
            yield f"  node {number} has voted for node {voted} in term {term}"
        if end[0] < before[2][0]:
            yield f"  node {number} truncates its log to entry {end[0]}"
        elif end != before[2]:
            yield f"  node {number} has entries up to {end[0]} of term {end[1]}"
        if commit != before[3]:
            yield f"  node {number} commits up to entry {commit}"
        while engine.events:
            event = engine.events.popleft()
            if isinstance(event, Committed):
                yield f"  node {number} applies {event.payload.decode()}"
            elif isinstance(event, LeaderChanged) and event.leader_id == number:
                yield f"  node {number} serves as the leader of term {event.epoch}"
        while self.said:
            yield f"  {self.said.pop(0)}"

    def _state(self, number: int) -> tuple[Any, ...]:
        engine = self.engines[number]
        end = (engine.log.last_index, engine.log.term_at(engine.log.last_index) or 0)
        return engine.term, _role(engine), end, engine.commit_index, engine.voted_for


def _role(engine: Engine) -> str:
    if not engine.can_vote:
        return "observer"
    return {LEADER: "leader", CANDIDATE: "candidate"}.get(engine.role, "follower")


def words(message: Message) -> str:
    """A message as a line of text."""
    kind, term = message["type"], message["term"]
    if kind == "pre_vote":
        return f"could I win term {term}? {_end(message)}"
    if kind == "pre_vote_response":
        return "yes, you could" if message["granted"] else f"no, not in term {term}"
    if kind == "request_vote":
        return f"vote for me in term {term}; {_end(message)}"
    if kind == "response_vote":
        return f"you have my vote in term {term}"
    if kind == "end_epoch":
        return f"I lead term {term} no longer"
    if kind == "acknowledgement":
        return _acknowledgement(message)
    committed = f"committed up to {message['commit_index']}"
    if "serialized" in message:
        return f"here is a piece of my snapshot, in term {term}; {committed}"
    after = f"after entry {message['previous_index']} of term {message['previous_term']}"
    if not message["entries"]:
        return f"I lead term {term}; {after} nothing new; {committed}"
    entries = ", ".join(f"{index} ({_entry(command)})" for command, index, _ in message["entries"])
    return f"{after} append {entries}, in term {term}; {committed}"


def _end(message: Message) -> str:
    return f"my log ends with entry {message['last_log_index']} of term {message['last_log_term']}"


def _acknowledgement(message: Message) -> str:
    end = message["next_index"] - 1
    if message["success"]:
        return f"my log is yours up to entry {end}, in term {message['term']}"
    if message["reset"]:
        return f"our logs diverge: send from entry {end + 1} on, in term {message['term']}"
    return f"not yet, in term {message['term']}"


def _entry(command: bytes) -> str:
    if command[:1] == MEMBERSHIP:
        return "voters " + " ".join(str(v.id) for v in VoterSet.decode(command[1:]))
    return command[STAMP.size :].decode() if len(command) > STAMP.size else "the leader's first"
