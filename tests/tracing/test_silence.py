"""Since when a node is silent, by the heartbeats of the quorum."""

from __future__ import annotations

from typing import Any

from raftka.tracing.elections import Elections
from raftka.tracing.silence import Listening

PAUSE_S = 0.08


def heard_for(listening: Listening, seconds: float) -> float:
    """When node 1, which leads, last sent a heartbeat to this follower."""
    now = 0.0
    while now < seconds:
        listening.heard_leader(1, now)
        now += PAUSE_S
    return now - PAUSE_S


def test_a_silence_began_half_a_pause_after_the_last_heartbeat() -> None:
    listening = Listening()
    last = heard_for(listening, 3.0)
    found = listening.stands(last + 1.2)
    assert found is not None
    peer, silence = found
    assert (peer, silence.last_heard_s) == (1, last)
    for cut in (last, last + PAUSE_S * 0.99):
        assert abs(silence.since_s - cut) <= PAUSE_S / 2 + 1e-9
    assert listening.stands(last + 1.4) is None, "it is said once"


def test_a_short_pause_is_no_silence() -> None:
    listening = Listening()
    last = heard_for(listening, 1.0)
    assert listening.stands(last + 2 * PAUSE_S) is None
    assert Listening().stands(5.0) is None, "nobody was heard yet"
    once = Listening()
    once.heard_leader(1, 5.0)
    assert once.stands(5.001) is None, "how often it shows itself is not known after one heartbeat"


def test_a_link_that_broke_and_came_back_is_no_cause_of_a_later_election() -> None:
    elections = Elections()
    elections.raft_arrived("n2", "n3", "append-entries", "request", {}, 1)
    elections.connection_lost("n2", "n3", 2)
    assert elections.of_message("n2", "pre-vote", "request", {"term": 2}, None) == (2, [])
    elections.raft_arrived("n2", "n3", "append-entries", "request", {}, 3)
    elections.fell_silent("n2", "n3", 4)
    fields: dict[str, Any] = {"term": 3, "candidate": 2}
    assert elections.of_disk("n2", "quorum-vote", fields) == 4
    assert fields["code"] == "leader-silent"


def test_a_leader_listens_for_answers_to_what_it_sends() -> None:
    listening = Listening()
    for beat in range(40):
        now = beat * PAUSE_S
        assert listening.showed_itself(2, now) is None
        assert listening.showed_itself(3, now) is None
        listening.heard_follower(2, now + 0.001)
        if beat < 10:
            listening.heard_follower(3, now + 0.001)
        else:
            break
    last = 9 * PAUSE_S + 0.001
    assert listening.showed_itself(3, last + 0.5) is None
    silence = listening.showed_itself(3, last + 0.7)
    assert silence is not None
    assert silence.last_heard_s == last
    assert listening.showed_itself(3, last + 0.8) is None


def test_a_new_leader_does_not_begin_to_wait_again_for_the_silent_one() -> None:
    listening = Listening()
    last = heard_for(listening, 2.0)
    assert listening.stands(last + 1.0) is not None
    for later in (1.1, 1.9, 2.7):
        assert listening.showed_itself(1, last + later) is None
    listening.heard_follower(1, last + 3.0)
    assert listening.showed_itself(1, last + 3.1) is None
    assert listening.showed_itself(1, last + 3.8) is not None, "it fell silent again"


def test_a_broken_connection_and_a_stop_of_its_own_are_no_silence() -> None:
    listening = Listening()
    last = heard_for(listening, 1.0)
    listening.lost(1)
    assert listening.stands(last + 5.0) is None
    last = heard_for(listening, 1.0)
    listening.stood_still()
    assert listening.stands(last + 5.0) is None
    assert listening.showed_itself(2, last + 5.1) is None
