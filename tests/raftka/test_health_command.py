"""`raftka health`, the example files of three nodes, and the output of `raftka version`."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import pytest

from raftka.commands import main
from raftka.configuration import make_config, read_file
from raftka.health_command import asked
from raftka.model.ids import Endpoint
from raftka.model.settings.listeners import listeners, quorum_voters

ROOT = Path(__file__).parents[2]


def answering(answer: bytes) -> tuple[socket.socket, Endpoint]:
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(14)
            connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return server, Endpoint("127.0.0.1", server.getsockname()[1])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\0\0\0\6\0\0\0\1\0\0", None),
        (b"\0\0\0\6\0\0\0\1\0\x23", "it answers with error 35"),
        (b"", "closed without an answer"),
    ],
)
def test_a_listener_is_healthy_when_it_answers(answer: bytes, words: str | None) -> None:
    server, where = answering(answer)
    with server:
        problem = asked(where)
    assert (problem is None) == (words is None)
    assert words is None or words in (problem or "")


def test_nothing_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings = f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}"
    assert main(["health", "--override", settings]) == 1
    assert f"PLAINTEXT on 127.0.0.1:{port}: Connection refused" in capsys.readouterr().err


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_three_files_to_copy_are_of_one_cluster(number: int) -> None:
    file = ROOT / "docs" / "three-nodes" / f"server-{number}.properties"
    config = make_config(read_file(str(file)))
    assert config.int("node.id") == number and config.notices == ()
    assert list(quorum_voters(config)) == [1, 2, 3]
    advertised = {each.name: each.advertised for each in listeners(config)}
    assert advertised["PLAINTEXT"] == Endpoint(f"kafka{number}", 9092)


def test_the_version_names_a_commit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    told = capsys.readouterr().out
    assert re.fullmatch(r"raftka \S+ \((commit [0-9a-f]{12}, )?Python 3\.\S+\)\n", told)
    assert ("commit" in told) == (ROOT / ".git").exists()
