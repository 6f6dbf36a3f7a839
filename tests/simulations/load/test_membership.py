"""Voters and brokers that come and go: the checker's knowledge, and runs that need it."""

from __future__ import annotations

from raftka.kraft.raft import records
from raftka.kraft.raft.membership import VoterSet
from raftka.kraft.raft.port import Voter
from raftka.kraft.raft.records import POSITION, Kind
from raftka.kraft.raft.seams import MEMBERSHIP, NO_OP
from raftka.simulations.checkers.voters import VoterSets
from raftka.simulations.observers.journal import JournalMirror
from raftka.simulations.observers.voters import voters_of
from raftka.simulations.plan import Options, Plan
from raftka.simulations.runs.run import Outcome, plan_for, run_plan
from raftka.simulations.scenarios.stage import Stage, run_scenario
from raftka.simulations.violation import Exit


def voters(*ids: int) -> list[Voter]:
    return [Voter(number, bytes([number]) * 16) for number in ids]


class Logs:
    """Journals of a few nodes, and the checker's reports about changes in them."""

    def __init__(self, *first: int) -> None:
        self.reports: list[str] = []
        self.mirrors = {f"n{i}": JournalMirror(f"n{i}", lambda _, __: None) for i in range(1, 6)}
        self.sets = VoterSets(
            voters_of(voters(*first)),
            self.mirrors,
            lambda name, story, **about: self.reports.append(name),
            fixed=False,
        )
        self._files = {host: mirror.watch("1.journal") for host, mirror in self.mirrors.items()}
        for host in self.mirrors:
            self.sets.directories[host] = bytes([int(host[1:])]) * 16

    def write(self, node: int, term: int, command: bytes) -> int:
        mirror, file = self.mirrors[f"n{node}"], self._files[f"n{node}"]
        index = mirror.last_index + 1
        data = records.encode(index, Kind.ENTRY, POSITION.pack(index, term), command)
        file.wrote(len(file.data), data)
        file.synced()
        self.sets.check_changes(mirror, index)
        return index

    def name(self, node: int, term: int, *ids: int) -> int:
        return self.write(node, term, MEMBERSHIP + VoterSet(voters(*ids)).encode())


def test_one_voter_at_a_time_after_an_entry_of_the_leaders_term_is_allowed() -> None:
    logs = Logs(1, 2, 3)
    for node in (1, 2):
        logs.write(node, 1, NO_OP)
    logs.name(1, 1, 1, 2, 3)
    logs.name(2, 1, 1, 2, 3)
    logs.name(1, 1, 1, 2)
    logs.name(2, 1, 1, 2)
    logs.name(1, 1, 1, 2, 4)
    assert logs.reports == []
    assert logs.sets.newest(logs.mirrors["n1"]) == voters_of(voters(1, 2, 4))


def test_two_voters_at_once_are_seen() -> None:
    logs = Logs(1, 2, 3)
    for node in (1, 2):
        logs.write(node, 1, NO_OP)
    logs.name(1, 1, 1, 2, 3, 4, 5)
    assert logs.reports == ["voters-changed-by-more-than-one"]


def test_a_change_on_top_of_one_that_no_majority_has_is_seen() -> None:
    logs = Logs(1, 2, 3)
    for node in (1, 2):
        logs.write(node, 1, NO_OP)
    logs.name(1, 1, 1, 2)
    logs.name(1, 1, 1)
    assert logs.reports == ["two-voter-changes-in-flight"]


def test_a_change_before_the_leaders_term_has_an_entry_is_seen() -> None:
    logs = Logs(1, 2, 3)
    for node in (1, 2):
        logs.write(node, 1, NO_OP)
    logs.write(1, 2, NO_OP)
    logs.name(1, 2, 1, 2)
    assert logs.reports == ["voters-changed-before-own-term"]


def test_a_lost_disk_still_counts_for_what_it_held_and_for_nothing_new() -> None:
    logs = Logs(1, 2, 3)
    for node in (1, 2):
        logs.write(node, 1, NO_OP)
    logs.sets.disk_replaced("n2")
    assert logs.sets.is_held(logs.sets.current, 1, 1)
    assert not logs.sets.is_held(logs.sets.current, 2, 1)
    logs.sets.directories["n2"] = bytes(16)
    assert logs.sets.identity("n2") not in logs.sets.current


def _run(seed: int, quorum: str, **rates: float) -> Outcome:
    named = {kind.replace("_", "-"): rate for kind, rate in rates.items()}
    plan = plan_for(
        Options(seed, duration_s=25.0, faults=tuple(named), rates=named, quorum=quorum, load=0.3)
    )
    assert Plan.loads(plan.dumps()) == plan
    return run_plan(plan)


def test_voters_come_and_go_and_lose_their_disks() -> None:
    found = _run(3, "standalone", voter_joins=8, voter_leaves=12, voter_disk_lost=4, kill=4)
    assert found.exit is Exit.HELD, found.violation
    for situation in ("voter added", "voter removed", "leader removed itself"):
        assert found.reached.get(situation), found.reached


def test_brokers_join_and_leave() -> None:
    found = _run(2, "static", broker_joins=3, broker_leaves=8)
    assert found.exit is Exit.HELD, found.violation
    assert found.reached.get("broker joined") and found.reached.get("broker left")


async def _unregistered_after_the_healing(stage: Stage) -> None:
    """The node continues, fenced, since the cluster no longer knows it."""
    await stage.until(lambda: len(stage.world.image.alive_brokers()) == 3)
    stage.heal()
    stage.world.be_quiet()
    async with stage.admin() as admin:
        await admin.unregister_broker(3)
    assert 3 not in stage.world.image.brokers
    await stage.settle()


async def _ordered_before_it(stage: Stage) -> None:
    stage.world.unregistering.add(3)
    await _unregistered_after_the_healing(stage)


def test_a_broker_that_an_order_of_before_the_healing_finds_is_started_again() -> None:
    found = run_scenario(_ordered_before_it)
    assert found.exit is Exit.HELD, found.violation
    assert found.reached["broker unregistered alive"] == 1


def test_a_broker_that_nobody_has_sent_away_has_to_stay() -> None:
    found = run_scenario(_unregistered_after_the_healing)
    assert found.violation is not None
    assert (found.violation.name, found.exit) == ("brokers-recover", Exit.LIVENESS)


def test_who_was_away_gets_a_snapshot_and_a_reassignment_is_hit() -> None:
    found = _run(1, "static", kill=10, reassignment_crash=10)
    assert found.exit is Exit.HELD, found.violation
    assert found.reached.get("crash in mid-reassignment"), found.reached


def test_fixed_voters_are_not_drawn_to_change_and_others_are() -> None:
    fixed = plan_for(Options(1, quorum="static"))
    assert not [step for step in fixed.faults if step.kind.startswith("voter-")]
    founded = plan_for(Options(1, quorum="standalone"))
    assert [step.kind for step in founded.operations].count("add-voter") == 2
