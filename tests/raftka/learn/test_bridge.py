"""`raftka learn --bridge`: bytes of real sockets reach virtual brokers, and stay in the session."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from raftka.learn.bridge import Bridge, open_session
from raftka.learn.bridging import BridgeFailed, Bridging
from raftka.learn.recording import of_session
from raftka.local_ports import free_ports
from raftka.net.protocol import codec
from raftka.net.protocol.messages.metadata import MetadataResponse
from raftka.simulations.sessions.errors import SessionError
from raftka.simulations.sessions.show import ready

pytestmark = pytest.mark.wire
_VERSION = 1


def free_port() -> int:
    """The first of three in a row."""
    while True:
        (port,) = free_ports(1)
        try:
            for each in (port, port + 1, port + 2):
                socket.create_server(("127.0.0.1", each)).close()
        except OSError:
            continue
        return port


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    found = Bridge(open_session(free_port()))
    yield found
    found.close()


def exchanged(bridge: Bridge, sock: socket.socket, request: bytes) -> bytes:
    """The answer to a request, while the bridge takes turns."""
    sock.setblocking(False)
    sock.sendall(struct.pack(">i", len(request)) + request)
    answer = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        bridge.turn()
        try:
            answer += sock.recv(1 << 16)
        except BlockingIOError:
            continue
        if len(answer) >= 4 and len(answer) == 4 + struct.unpack(">i", answer[:4])[0]:
            return answer[4:]
    raise AssertionError("the bridge does not answer")


def test_a_client_finds_the_brokers_and_is_played_again_without_it(bridge: Bridge) -> None:
    port = bridge.handle({"id": 1, "op": "session"})["session"]["bridge"]
    while bridge.handle({"op": "events", "from": 0})["now_s"] < 1.5:
        bridge.turn()  # No port listens before the nodes have started.
    header = struct.pack(">hhih", 3, _VERSION, 7, 4) + b"test"
    with socket.create_connection(("127.0.0.1", port + 1)) as sock:
        answer = exchanged(bridge, sock, header + struct.pack(">i", 0))
    number, found = codec.decode_response(MetadataResponse, _VERSION, memoryview(answer))
    assert number == 7
    addresses = {each.node_id: (each.host, each.port) for each in found.brokers}
    assert addresses == {number: ("127.0.0.1", port + number - 1) for number in (1, 2, 3)}
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"\x16\x03\x01 this is no Kafka")
        for _ in range(20):
            bridge.turn()
    killed = bridge.handle({"id": 2, "op": "do", "action": {"do": "kill", "node": "n3"}})
    assert killed["ok"]
    refused = bridge.handle({"id": 3, "op": "do", "action": {"do": "kill", "node": "n9"}})
    assert refused["error"]["code"] == "bad-session"
    assert bridge.handle("nonsense")["ok"] is False
    for _ in range(20):
        bridge.turn()
    told = bridge.handle({"id": 4, "op": "events", "from": 0})
    assert told["next"] == len(told["events"]) > 100 and not told["ended"]
    kept = bridge.handle({"id": 5, "op": "session"})
    assert {each["do"] for each in kept["session"]["script"]} == {"bytes", "kill"}
    again = of_session(json.loads(json.dumps(kept["session"])))
    assert again.hash == kept["hash"]


def test_a_run_has_so_many_connections_and_says_when_it_has_them(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raftka.learn.bridge.CONNECTIONS_MAX", 1)
    port = bridge.handle({"op": "session"})["session"]["bridge"]
    assert not bridge.handle({"op": "events", "from": 0})["full"]
    with socket.create_connection(("127.0.0.1", port)) as first:
        while not bridge.handle({"op": "events", "from": 0})["full"]:
            bridge.turn()
        with socket.create_connection(("127.0.0.1", port)) as second:
            second.settimeout(0.01)
            while True:
                bridge.turn()
                try:
                    assert second.recv(1) == b""
                    break
                except TimeoutError:
                    continue
        first.sendall(b"x")
        while not (script := bridge.handle({"op": "session"})["session"]["script"]):
            bridge.turn()
    assert script[0]["base64"] == "eA=="  # Existing clients are still served.


def test_the_command_saves_its_session_when_it_is_ended(tmp_path: Path) -> None:
    """By SIGTERM, as for a background process, which ignores Ctrl-C."""
    file = tmp_path / "class.json"
    command = [sys.executable, "-m", "raftka", "learn", "--bridge", str(free_port())]
    with subprocess.Popen([*command, "--save", str(file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and b"token=" in process.stdout.readline()
        process.terminate()
        assert process.wait(60) == 0
    session = json.loads(file.read_text())
    assert session["until_s"] >= 0 and session["script"] == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_bridge_that_dies_or_stands_still_is_over_and_says_so(
    how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridging = Bridging(free_port())
    with (
        trio.fail_after(60),
        pytest.RaisesGroup(pytest.RaisesExc(BridgeFailed, match="the session is lost")),
    ):
        async with trio.open_nursery() as nursery:
            await nursery.start(bridging.run)
            answer = json.loads(await bridging.ask('{"id":4,"op":"session"}'))
            assert answer["id"] == 4 and answer["ok"]
            monkeypatch.setattr("raftka.learn.bridging._ANSWER_S", 0.3)
            assert bridging._process is not None
            bridging._process.send_signal(how)
            with trio.CancelScope(shield=True):
                answer = json.loads(await bridging.ask('{"id":5,"op":"session"}'))
    assert answer["id"] == 5 and answer["error"]["code"] == "ended"


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"base64": "?"}, "is no base64"),
        ({"base64": "A" * 100_000}, "at most 87384 characters"),
        ({"base64": 7}, "at most"),
        ({"connection": 0}, "connection"),
    ],
)
def test_bytes_of_a_script_are_checked_before_it_runs(
    action: dict[str, object], words: str
) -> None:
    whole = {"at_s": 1.0, "do": "bytes", "node": "n1", "connection": 1, **action}
    session = {"scenario": "lost-leader", "bridge": 19092, "script": [whole]}
    with pytest.raises(SessionError, match=words):
        ready(session)
