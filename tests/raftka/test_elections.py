"""Elections as they are printed: cause, chain, and the time without a leader."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from raftka.client.admin import Admin
from raftka.client.admin.metadata_logs import MetadataLog
from raftka.client.admin.nodes import ClusterDescription, Node
from raftka.elections.command import main, told
from raftka.elections.history import Election, elections
from raftka.kraft.codec import encode_records
from raftka.kraft.records import PartitionChangeRecord

T0 = 1_796_000_000.0


def event(id: int, at: float, kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "at_s": T0 + at, "kind": kind, **fields}


def elected(id: int, at: float, leader: int, epoch: int, **fields: Any) -> dict[str, Any]:
    head = {"partition": "t-0", "leader": leader, "epoch": epoch, "reason": "r", "code": ""}
    return event(id, at, "leader-elected", **{**head, "decided_s": T0 + at - 0.01, **fields})


FIRST = elected(1, 1.0, 1, 0, code="new-partition.preferred-new")


def after_a_kill() -> list[dict[str, Any]]:
    gone = "broker-gone.first-of-isr"
    return [
        FIRST,
        event(2, 5.0, "connection-lost", node="n3", peer="n1"),
        event(3, 5.04, "broker-fenced", broker=1, cause=2, decided_s=T0 + 5.03, reason="port"),
        elected(4, 5.04, 2, 1, cause=3, code=gone, reason="port: 2 is the first"),
        event(5, 5.06, "first-ack", node="n2", partition="t-0", leader_epoch=1, cause=4),
    ]


def last(events: list[dict[str, Any]]) -> Election:
    return elections(events)[-1]


def test_a_kill_from_the_broken_connection_to_the_first_acknowledgement() -> None:
    found = last(after_a_kill())
    assert (found.kind, found.leader, found.before, found.epoch) == ("partition", 2, 1, 1)
    assert found.cause == "the connection broke and the port is refused"
    assert [(round(step.at_s - T0, 3), step.node) for step in found.chain] == [
        (5.0, "n3"),
        (5.03, None),
        (5.03, None),
        (5.06, "n2"),
    ]
    assert found.without_leader_s is not None
    assert round(found.without_leader_s, 3) == 0.06
    words = told(found)
    assert "t-0: n2 after n1, epoch 1" in words
    assert "without a leader for 60 ms, until the first acknowledgement" in words
    assert "n3: the connection to n1 broke" in words


def test_missed_heartbeats_begin_with_the_last_one_heard() -> None:
    why = "broker 1 was fenced: not heard for 9000 ms"
    found = last(
        [
            FIRST,
            event(3, 14.0, "broker-fenced", broker=1, decided_s=T0 + 14.0, reason=why),
            elected(4, 14.01, 2, 1, cause=3, code="broker-silent.first-of-isr", reason=f"{why}: 2"),
        ]
    )
    assert found.cause == "heartbeats were missed"
    assert found.chain[0].words == "nothing more is heard of n1"
    assert found.chain[0].at_s == T0 + 5.0
    assert found.first_ack_s is None
    assert "until the election" in told(found)


def test_what_an_operator_asked_for_left_nobody_without_a_leader() -> None:
    found = last([FIRST, elected(2, 9.0, 2, 1, code="asked-preferred.preferred-in-sync")])
    assert found.cause == "an operator asked for it"
    assert found.without_leader_s is None
    assert last([FIRST, elected(2, 9.0, 2, 1, code="rebalance.preferred-in-sync")]).cause == (
        "the preferred leader came back"
    )


def test_a_controller_says_why_it_was_elected_and_what_it_waited_for() -> None:
    found = last(
        [
            event(1, 5.0, "connection-lost", node="n3", peer="n1"),
            event(2, 5.02, "quorum-vote", node="n3", candidate="n3", term=2, cause=1),
            event(
                3,
                5.05,
                "controller-elected",
                node="n3",
                epoch=2,
                cause=2,
                decided_s=T0 + 5.04,
                reason="its link to the leader, node 1, broke",
            ),
        ]
    )
    assert (found.kind, found.leader) == ("controller", 3)
    assert found.cause == "the connection to the controller broke"
    assert [step.words for step in found.chain] == [
        "the connection to n1 broke",
        "a vote for n3 in epoch 2",
        "n3 is the controller",
    ]


def test_a_controller_that_was_told_to_stop_is_known_by_its_own_recorder() -> None:
    words = "broker 1 is shutting down; its leadership moves first"
    why = "its link to the leader, node 1, broke"
    found = last(
        [
            event(1, 1.0, "controller-elected", node="n1", epoch=1, reason="it knows no leader"),
            event(2, 4.0, "start", node="n1", unix_s=T0 + 4.0),
            event(5, 5.0, "log", node="n1", level="info", words=words),
            event(6, 5.9, "log", node="n1", level="info", words="node 1 has shut down"),
            event(3, 6.0, "connection-lost", node="n3", peer="n1"),
            event(4, 6.1, "controller-elected", node="n3", epoch=2, cause=3, reason=why),
        ]
    )
    assert (found.before, found.cause) == (1, "an operator stopped the controller")
    assert (found.chain[0].words, found.chain[0].at_s) == (
        "it is asked to stop (SIGTERM)",
        T0 + 5.0,
    )
    assert found.without_leader_s is not None
    assert round(found.without_leader_s, 3) == 0.1


def test_a_broker_that_was_told_to_stop_is_known_by_its_own_recorder() -> None:
    words = "broker 1 is shutting down; its leadership moves first"
    code = "broker-shut.first-of-isr"
    told_to = event(2, 5.0, "log", node="n1", level="info", words=words)
    found = last([FIRST, told_to, elected(3, 5.02, 2, 1, code=code)])
    assert found.cause == "an operator stopped the broker"
    assert (found.chain[0].words, found.chain[0].at_s) == (
        "it is asked to stop (SIGTERM)",
        T0 + 5.0,
    )


def test_partitions_that_one_batch_moved_are_one_election() -> None:
    more = [
        {**each, "id": each["id"] + 100, "partition": f"t-{number}"}
        for number in range(1, 6)
        for each in (FIRST, elected(4, 5.04, 2, 1, cause=3, code="broker-gone.first-of-isr"))
    ]
    numbered = [{**each, "id": 200 + at} for at, each in enumerate(more)]
    found = last([*after_a_kill(), *numbered])
    assert len(found.partitions) == 6
    assert "t-0, t-1, t-2 and 3 more: n2 after n1" in told(found)


def test_an_election_without_any_cause_on_record() -> None:
    found = last([elected(1, 5.0, -1, 3, code=None, reason="")])
    assert found.cause == "not recorded"
    old = elected(1, 5.0, 2, 3, code=None, reason="broker 1 was fenced: not heard for 9000 ms")
    assert last([old]).cause == "heartbeats were missed"
    assert "t-0: no leader, epoch 3" in told(found)


def after_a_silence(*more: dict[str, Any]) -> list[dict[str, Any]]:
    """n1 leads t-0 and falls silent at 5.04 s; n3, the new controller, has it fenced at 15 s."""
    why = "broker 1 was fenced: not heard for 9000 ms"
    return [
        FIRST,
        event(2, 5.9, "silence", node="n3", peer="n1", last_heard_s=T0 + 5.0, since_s=T0 + 5.04),
        event(3, 15.0, "broker-fenced", broker=1, decided_s=T0 + 15.0, reason=why),
        elected(4, 15.01, 2, 1, cause=3, code="broker-silent.first-of-isr", reason=f"{why}: 2"),
        *more,
    ]


def test_a_silence_is_dated_by_who_heard_the_node_last() -> None:
    found = last(after_a_silence())
    assert found.cause == "heartbeats were missed"
    assert (found.chain[0].words, found.noticed_s) == ("nothing more is heard of n1", T0 + 5.04)


def test_a_node_that_stood_still_says_so_when_it_runs_again() -> None:
    still = event(9, 15.5, "stood-still", node="n1", since_s=T0 + 5.02, seconds=10.48)
    found = last(after_a_silence(still))
    assert found.cause == "heartbeats were missed: n1 did not run"
    assert found.chain[0].words == "its process does not run for 10.5 s: paused, or no CPU"
    assert (found.chain[0].node, found.noticed_s) == ("n1", T0 + 5.02)


def test_a_node_that_was_cut_off_heard_nobody_itself() -> None:
    alone = [
        event(number, 5.7, "silence", node="n1", peer=peer, last_heard_s=T0 + 5, since_s=T0 + 5.03)
        for number, peer in ((9, "n2"), (10, "n3"))
    ]
    found = last(after_a_silence(*alone))
    assert found.cause == "heartbeats were missed: the network to n1 was cut"
    assert found.chain[0].words == "it hears nothing more of n2 and n3"


def test_a_controller_that_was_cut_off() -> None:
    why = "it heard nothing from its leader, node 1"
    found = last(
        [
            event(1, 1.0, "controller-elected", node="n1", epoch=1, reason="it knows no leader"),
            event(2, 6.0, "silence", node="n3", peer="n1", last_heard_s=T0 + 5, since_s=T0 + 5.04),
            event(3, 6.01, "quorum-vote", node="n3", candidate="n3", term=2, cause=2),
            event(4, 6.05, "controller-elected", node="n3", epoch=2, cause=3, reason=why),
            event(5, 5.7, "silence", node="n1", peer="n2", last_heard_s=T0 + 5, since_s=T0 + 5.04),
        ]
    )
    assert found.cause == "the controller was silent: the network to n1 was cut"
    assert found.noticed_s == T0 + 5.04
    assert found.without_leader_s is not None
    assert round(found.without_leader_s, 3) == 1.01


def test_a_controller_that_resigned_left_from_its_farewell_on() -> None:
    farewell = {"api": "end-epoch", "node": "n3", "from": "n1", "term": 1, "side": "request"}
    found = last(
        [
            event(1, 1.0, "controller-elected", node="n1", epoch=1, reason="it knows no leader"),
            event(2, 5.0, "message-received", **farewell),
            event(3, 5.01, "quorum-vote", node="n3", candidate="n3", term=2, cause=2),
            event(
                *(4, 5.05, "controller-elected"),
                node="n3",
                epoch=2,
                cause=3,
                reason="its leader, node 1, resigned",
            ),
        ]
    )
    assert found.cause == "an operator stopped the controller"
    assert [step.words for step in found.chain] == [
        "n1 resigns",
        "a vote for n3 in epoch 2",
        "n3 is the controller",
    ]
    assert found.without_leader_s is not None
    assert round(found.without_leader_s, 3) == 0.05


def test_a_broker_that_is_fenced_is_asked_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cluster(
        _: object, *, controllers: bool = False, include_fenced: bool = False
    ) -> ClusterDescription:
        assert not controllers
        nodes = (Node(1, "h", 1), Node(2, "h", 2, fenced=True))
        return ClusterDescription("c", 1, nodes if include_fenced else nodes[:1])

    async def quorum(_: object) -> SimpleNamespace:
        return SimpleNamespace(endpoints={}, leader_id=1)

    async def contents(_: object, endpoints: Any, **__: object) -> dict[Any, str]:
        return {each: f"{each} is silent" for each in endpoints}

    monkeypatch.setattr(Admin, "describe_cluster", cluster)
    monkeypatch.setattr(Admin, "describe_quorum", quorum)
    monkeypatch.setattr("raftka.elections.command.recorder_contents", contents)
    assert main(["--bootstrap-server", "h:1"]) == 1
    assert "h:1 is silent; h:2 is silent" in capsys.readouterr().err


def test_a_log_that_does_not_fit_together_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = encode_records([PartitionChangeRecord(topic_id=bytes(16), partition_id=7, leader=1)])

    async def running(_: object) -> tuple[list[object], MetadataLog]:
        return [], MetadataLog(1, batches=[(1, 1, rows)])

    monkeypatch.setattr("raftka.elections.command._of_running_nodes", running)
    assert main(["--bootstrap-server", "h:1"]) == 1
    printed = capsys.readouterr().err
    assert "the metadata log cannot be read: a record names topic id" in printed
    assert "defect of raftka" not in printed
