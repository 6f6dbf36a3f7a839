"""kafka-streams-groups against a broker: what a streams group looks like, and its end."""

from __future__ import annotations

import time

import pytest

from raftka.client.tools import streams_groups, topics
from raftka.local_cluster import LocalCluster
from raftka.net.protocol.messages.find_coordinator import (
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from raftka.net.protocol.messages.streams_group_heartbeat import StreamsGroupHeartbeatResponse
from raftka.simulations.load.streams_member import StreamsMember, Task, TopologyText
from raftka.testing.wire import Wire

pytestmark = pytest.mark.wire

_TOPOLOGY = TopologyText({"0": ("words",)}, frozenset({"0"}))
_PATIENCE_S = 30


class _Silent:
    """Implements streams_member.Witness."""

    def took(self, member: StreamsMember, role: str, task: Task) -> None:
        pass

    def dropped(self, member: StreamsMember, task: Task) -> None:
        pass


class _Thread:
    """A member of the group `count`, whose heartbeats are sent by hand."""

    def __init__(self, port: int) -> None:
        self.wire = Wire(port)
        self.member = StreamsMember("count", "m1", "process", _TOPOLOGY, _Silent())

    def run_until(self, tasks: int) -> None:
        # Whoever asks for a coordinator first has the topic of groups made.
        self.wire.send(FindCoordinatorRequest(key="count"), 0)
        self.wire.receive(FindCoordinatorResponse, 0)
        end_s = time.monotonic() + _PATIENCE_S
        while len(self.member.tasks) != tasks:
            assert time.monotonic() < end_s, (self.member.tasks, self.member.errors)
            self.wire.send(self.member.request(), 1)
            self.member.answered(self.wire.receive(StreamsGroupHeartbeatResponse, 1))
            self.member.work()
            time.sleep(0.1)

    def leave(self) -> None:
        self.wire.send(self.member.leaving(), 1)
        self.wire.receive(StreamsGroupHeartbeatResponse, 1)
        self.wire.close()


def test_a_group_is_listed_described_and_deleted(
    single: LocalCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--bootstrap-server", single.bootstrap]

    def said(*arguments: str) -> list[list[str]]:
        code = streams_groups.main([*at, *arguments])
        out = capsys.readouterr()
        assert code == 0, out.err
        return [line.split() for line in out.out.splitlines() if line]

    assert topics.main([*at, "--create", "--topic", "words", "--partitions", "2"]) == 0
    capsys.readouterr()
    thread = _Thread(int(single.bootstrap.rpartition(":")[2]))
    thread.run_until(2)
    assert said("--list") == [["count"]]
    assert said("--list", "--state")[1] == ["count", "Stable"]
    state = said("--describe", "--group", "count", "--state")[1]
    assert (state[3:], state[0]) == (["sticky", "Stable", "1"], "count")
    members = said("--describe", "--group", "count", "--members")[1]
    assert members == ["count", "m1", "process", "test", "ACTIVE:", "0:[0,1];"]
    offsets = said("--describe", "--group", "count")
    assert offsets[1:] == [["count", "words", "0", "0"], ["count", "words", "1", "0"]]
    assert streams_groups.main([*at, "--delete", "--group", "count"]) == 1
    assert "'count' is not EMPTY" in capsys.readouterr().err
    thread.leave()
    said("--delete", "--group", "count")
    assert said("--list") == []
    assert topics.main([*at, "--list"]) == 0
    assert "count-0-changelog" not in capsys.readouterr().out
