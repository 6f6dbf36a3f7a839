"""Several nodes' recorders as one trace."""

from __future__ import annotations

from typing import Any

from raftka.tracing.flight_file import Entry, Recording
from raftka.tracing.recordings import clock_offsets, merge

WAY_S = 0.0004


def recording(
    node: int, events: list[dict[str, Any]], samples: list[list[Any]] | None = None
) -> Recording:
    return Recording(
        node,
        [Entry(number, each) for number, each in enumerate(events, start=1)],
        [Entry(number, each) for number, each in enumerate(samples or [], start=1)],
    )


def exchanged(at: float, ahead: float, moment: float) -> tuple[list[list[Any]], list[list[Any]]]:
    """Node 1 sends to node 2, whose clock is ahead, and gets an answer: the samples of both."""
    there, back = at + WAY_S + ahead, at + 3 * WAY_S
    return (
        [[at, "ap", True, 2, 5, moment], [back, "ac", False, 2, 5, moment]],
        [[there, "ap", False, 1, 5, moment], [there + WAY_S, "ac", True, 1, 5, moment]],
    )


def test_clocks_are_compared_by_messages_that_both_saw() -> None:
    ours, theirs = exchanged(100.0, 3.5, 7.25)
    late = [[t + 0.2 if not is_sent else t, *rest] for t, *rest in ours for is_sent in [rest[1]]]
    found = clock_offsets([recording(1, [], [*ours, *late]), recording(2, [], theirs)])
    assert found[1] == 0.0
    assert abs(found[2] - 3.5) < 1e-6


def test_a_clock_that_is_known_by_way_of_another() -> None:
    ours, theirs = exchanged(100.0, 3.5, 7.25)
    beyond = exchanged(200.0, -8.0, 9.5)
    second = [[t + 3.5, kind, sent, 3, *rest] for t, kind, sent, _, *rest in beyond[0]]
    third = [[t + 3.5, kind, sent, 2, *rest] for t, kind, sent, _, *rest in beyond[1]]
    found = clock_offsets(
        [
            recording(1, [], ours),
            recording(2, [], [*theirs, *second]),
            recording(3, [], third),
        ]
    )
    assert abs(found[3] - -4.5) < 1e-6


def vote(t: float, way: str, peer: str, **more: Any) -> dict[str, Any]:
    link = "quorum n1 n2"
    head = {"t": t, "kind": f"message-{way}", "to" if way == "sent" else "from": peer}
    return head | {"connection": link, "number": 4, "side": "request", "api": "vote"} | more


def test_no_effect_comes_before_its_cause_however_clocks_disagree() -> None:
    """One message shows the difference of two clocks in one direction only; a second one appears
    faster than possible, so its arrival moves after its sending.
    """
    first = [
        {"t": 10.0, "kind": "quorum-vote", "node": "n1"},
        vote(10.0001, "sent", "n2", node="n1", cause=1),
    ]
    second = [
        vote(9.9, "received", "n1", node="n2"),
        {"t": 9.95, "kind": "quorum-vote", "node": "n2", "cause": 1},
    ]
    ours, theirs = exchanged(9.0, 0.0, 1.5)
    merged = merge([recording(1, first, ours), recording(2, second, theirs)])
    kinds = [(each["kind"], each.get("node")) for each in merged.events]
    assert kinds == [
        ("recording", None),
        ("quorum-vote", "n1"),
        ("message-sent", "n1"),
        ("message-received", "n2"),
        ("quorum-vote", "n2"),
    ]
    times = [each["t"] for each in merged.events]
    assert times == sorted(times)
    assert [each.get("cause") for each in merged.events[2:]] == [2, 3, 4]


def elected(t: float, **more: Any) -> dict[str, Any]:
    head = {"t": t, "kind": "leader-elected", "partition": "t-0", "leader": 2, "epoch": 1}
    return head | {"metadata_offset": 12} | more


def test_an_election_that_all_nodes_saw_is_one_event() -> None:
    lost = {"t": 4.0, "kind": "connection-lost", "node": "n3", "peer": "n1"}
    merged = merge(
        [
            recording(2, [elected(5.02), {"t": 5.04, "kind": "first-ack", "cause": 1}]),
            recording(3, [lost, elected(5.01, cause=1)]),
            recording(1, [{"t": 20.0, "kind": "start", "node": "n1"}, elected(20.5)]),
        ]
    )
    rows = [(each["kind"], each["t"], each.get("cause")) for each in merged.events[1:]]
    assert rows == [
        ("connection-lost", 0.0, None),
        ("leader-elected", 1.01, 2),
        ("first-ack", 1.04, 3),
        ("start", 16.0, None),
    ]


def test_two_changes_of_a_partition_in_two_batches_stay_two() -> None:
    events = [elected(5.0), elected(6.0, metadata_offset=13, epoch=2)]
    merged = merge([recording(1, events), recording(2, events)])
    assert [each["epoch"] for each in merged.events[1:]] == [1, 2]


def test_a_cause_that_the_ring_has_lost_is_left_out() -> None:
    merged = merge([recording(1, [{"t": 5.0, "kind": "broker-fenced", "cause": 77}])])
    assert "cause" not in merged.events[1]


def test_causes_in_a_circle_as_in_a_damaged_file_end() -> None:
    events = [{"t": 5.0, "kind": "log", "cause": 2}, {"t": 5.1, "kind": "log", "cause": 1}]
    assert len(merge([recording(1, events)]).events) == 3


def test_nothing_at_all() -> None:
    assert merge([recording(1, [])]).events == []
