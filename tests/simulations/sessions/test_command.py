"""`raftka session` as a process, and `raftka simulate --session`."""

from __future__ import annotations

import fcntl
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Final

import pytest

from raftka.simulations.runs.command import USAGE, main
from raftka.simulations.sessions.command import LINE_MAX, serve
from raftka.simulations.sessions.engine import Engine


def answers(*lines: bytes) -> list[dict[str, Any]]:
    target = io.BytesIO()
    serve(io.BytesIO(b"".join(lines)), target, Engine())
    return [json.loads(line) for line in target.getvalue().splitlines()]


def test_each_line_has_its_answer_whatever_it_says() -> None:
    found = answers(
        b"hello\n",
        b"\n",
        b'{"id":1,"op":"nothing"}\n',
        b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        b"x" * (2 * LINE_MAX + 7) + b"\n",
        b'{"id":NaN,"op":"verbs"}\n',
        b'{"id":1e999,"op":"verbs"}\n',
        b'{"id":2,"op":"verbs"}\n',
        b'{"id":3,"op":"rules"}',
    )
    codes = [each.get("error", {}).get("code") for each in found]
    wrong = ["no-json", "unknown-op", "no-json", "no-json", "too-long", "no-json"]
    assert codes == [*wrong, None, None, None]
    assert [each["id"] for each in found] == [None, 1, *[None] * 5, 2, 3]


def session(*, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "raftka", "session"],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_process_that_ends_with_its_input() -> None:
    open_ = {"id": 1, "op": "open", "session": {"scenario": "silent_follower"}}
    run = {"id": 2, "op": "run", "session": "s1", "until_s": 1.0}
    done = session(stdin=b"".join(json.dumps(each).encode() + b"\n" for each in (open_, run)))
    assert (done.returncode, done.stderr) == (0, b"")
    first, *events, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert first["session"] == "s1"
    assert events
    assert last["now_s"] == 1.0


def test_a_reader_that_has_gone_ends_the_process() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "raftka", "session"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    process.stdin.write(b'{"op":"verbs"}\n')
    process.stdin.close()
    assert process.wait(30) == 1
    assert process.stderr is not None
    with process.stderr:
        assert b"Traceback" not in process.stderr.read()


INTERRUPTIBLE: Final = """
import signal
from raftka.main import run
signal.signal(signal.SIGINT, signal.default_int_handler)
run()
"""
"""raftka as started from a terminal: background processes of a shell ignore interrupts."""


class Begun:
    """A process with a session that is open."""

    def __enter__(self) -> Begun:
        command = [sys.executable, "-c", INTERRUPTIBLE, "session"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self.ask({"op": "open", "session": {"scenario": "silent_follower"}})
        assert json.loads(self.out.readline())["session"] == "s1"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()


def test_an_interrupt_ends_the_process_while_a_session_waits() -> None:
    with Begun() as begun:
        begun.process.send_signal(signal.SIGINT)
        assert begun.process.wait(30) == 130
        _, errors = begun.process.communicate()
        assert b"Traceback" not in errors


@pytest.mark.parametrize("has_a_reader", [False, True])
def test_an_interrupt_ends_the_process_while_a_session_runs(has_a_reader: bool) -> None:
    with Begun() as begun:
        begun.ask({"op": "run", "session": "s1"})
        begun.out.readline()
        begun.process.send_signal(signal.SIGINT)
        if has_a_reader:  # Otherwise it waits with its answers, between two pieces.
            begun.out.readlines(1 << 17)
            begun.process.send_signal(signal.SIGINT)
        _, errors = begun.process.communicate(timeout=60)
        assert begun.process.returncode == 130
        assert b"Traceback" not in errors


def test_a_reader_that_stops_reading_holds_its_own_run_up_and_nothing_else() -> None:
    with Begun() as begun:
        fcntl.fcntl(begun.out, fcntl.F_SETPIPE_SZ, 1 << 12)
        begun.ask({"op": "run", "session": "s1", "until_s": 2.0})
        begun.ask({"op": "close", "session": "s1"})
        begun.ask({"id": 9, "op": "verbs"})
        first = json.loads(begun.out.readline())
        assert first["events"][0]["t"] < 1.0
        answers: list[dict[str, Any]] = []
        while not answers or answers[-1].get("id") != 9:
            answers.append(json.loads(begun.out.readline()))
        assert [each["ok"] for each in answers if "ok" in each] == [True, True, True]


def write(folder: Path, value: object) -> str:
    file = folder / "session.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(file)


def test_a_file_is_run_and_traced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = [{"at_s": 1.0, "do": "kill", "node": "n1"}]
    path = write(tmp_path, {"scenario": "silent_follower", "script": script, "until_s": 2})
    trace = tmp_path / "run.jsonl"
    assert main(["--session", path, "--trace", str(trace), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["virtual_s"] == 2.0
    kinds = [json.loads(line)["kind"] for line in trace.read_text().splitlines()]
    assert "kill" in kinds


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{", "is no JSON"),
        ({"scenario": "x"}, "there is no scenario 'x'"),
        ({"script": [{"at_s": 0.1, "do": "restart", "node": "n1"}]}, "n1 runs"),
    ],
)
def test_a_file_that_cannot_be_run_is_an_error_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: object, words: str
) -> None:
    assert main(["--session", write(tmp_path, value)]) == USAGE
    assert words in capsys.readouterr().err
