"""How `raftka top` shows its samples, and how it ends."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import pytest
import trio
from rich.console import Console

from raftka.client.admin import Admin
from raftka.console import OutputConsole
from raftka.model.errors import ErrorCode, KafkaError
from raftka.model.ports import BrokenConnection
from raftka.top import command, keys
from raftka.top.sample import Sample
from tests.raftka.top.test_top_view import BEFORE


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for each in ends:
        os.close(each)


async def test_q_ends_and_other_keys_do_not(pipe: tuple[int, int], autojump_clock: object) -> None:
    keyboard, fingers = pipe
    os.write(fingers, b"xy")
    with trio.move_on_after(1) as waited:
        await keys.quit_pressed(keyboard)
    assert waited.cancelled_caught
    os.write(fingers, b"zq")
    await keys.quit_pressed(keyboard)


def test_without_a_terminal_there_are_no_keys(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(os.dup(pipe[0])) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with keys.unechoed() as keyboard:
            assert keyboard is None
    with keys.unechoed() as keyboard:
        assert keyboard is None


async def test_looks_that_are_piped_come_one_below_the_other_and_a_silent_cluster_is_said(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    looks: Iterator[Sample | BrokenConnection] = iter(
        [BEFORE, BrokenConnection("nobody is there"), BEFORE]
    )

    async def take(admin: Admin, now_s: float) -> Sample:
        found = next(looks)
        if isinstance(found, BrokenConnection):
            raise found
        return found

    monkeypatch.setattr(command, "take", take)
    written = io.StringIO()
    console = Console(file=written, width=100)
    found = command.options.read(["--bootstrap-server", "b:1", "--looks", "3"])
    with command._display(console) as show:
        await command._look(found, Admin({"bootstrap.servers": "b:1"}), console, show)
    assert written.getvalue().count("Brokers") == 3
    assert written.getvalue().count("the cluster does not answer: nobody is there") == 1


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (KafkaError(ErrorCode.NOT_CONTROLLER, "no cluster"), "Error: no cluster"),
        (BrokenConnection("nobody is there"), "Error: nobody is there"),
    ],
)
def test_a_first_look_that_fails_is_a_sentence_and_no_defect(
    trouble: Exception,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def take(admin: Admin, now_s: float) -> Sample:
        raise trouble

    monkeypatch.setattr(command, "take", take)
    assert command.main(["--bootstrap-server", "127.0.0.1:1"]) == 1
    problems = capfd.readouterr().err
    assert said in problems
    assert "defect" not in problems


def test_a_reader_that_has_gone_is_no_exit_in_the_middle() -> None:
    class Gone(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        OutputConsole(file=Gone()).print("a look")
