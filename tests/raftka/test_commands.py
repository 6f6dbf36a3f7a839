"""The module of each command, and the scripts in bin/."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from raftka.commands import COMMANDS, GROUPS, main, usage
from raftka.logs import quoted, render, unquoted
from raftka.model.logs import Line
from raftka.stop_command import running_nodes

ROOT = Path(__file__).parent.parent.parent
BIN = ROOT / "bin"
KAFKA_TOOLS = (
    *("topics", "console-producer", "console-consumer", "configs", "get-offsets"),
    *("leader-election", "reassign-partitions", "metadata-quorum", "dump-log", "log-dirs"),
    *("delete-records", "consumer-groups", "groups", "storage", "broker-api-versions", "cluster"),
    *("producer-perf-test", "consumer-perf-test", "transactions"),
)


def test_help_has_a_line_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.rstrip() == usage()
    for word, command in COMMANDS.items():
        assert any(line.split() == [word, *command.summary.split()] for line in out.splitlines()), (
            word
        )
    assert list(GROUPS) == [line[:-1] for line in out.splitlines() if line.endswith(":")]


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_every_command_has_a_main(command: object) -> None:
    module = getattr(command, "module", "")
    spec = importlib.util.find_spec(f"raftka.{module}")
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text())
    assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_a_word_that_is_no_command_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["topic"]) == 2
    assert "Did you mean topics?" in capsys.readouterr().err
    assert main(["xyzzy"]) == 2
    assert "Did you mean" not in capsys.readouterr().err


def test_no_word_shows_the_help_and_fails() -> None:
    assert main([]) == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("raftka ")


@pytest.mark.parametrize("tool", [*KAFKA_TOOLS, "server-start", "server-stop"])
def test_every_script_is_there_with_and_without_sh(tool: str) -> None:
    for name in (f"kafka-{tool}", f"kafka-{tool}.sh"):
        assert (BIN / name).resolve() == BIN / "raftka"
    assert tool in COMMANDS or tool.startswith("server-")


def test_a_script_runs_its_tool_from_any_directory(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "kafka-storage.sh", "random-uuid"],
        cwd=tmp_path,
        env={"RAFTKA_PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, len(done.stdout.strip())) == (0, 22), done.stderr


def test_a_server_imports_no_tools_and_nothing_heavy() -> None:
    heavy = ("rich", "asyncio", "structlog", "importlib.metadata", "click", "raftka.client")
    code = (
        "import sys; import raftka.server_command as s, raftka.broker.serve, raftka.logs,"
        "raftka.net.transport, raftka.formatting, raftka.storage.posix;"
        "raftka.logs.configure();"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_log_line_has_time_level_words_and_details() -> None:
    details = {"topic": "songs", "isr": [1, 2], "reason": 'a "b" c', "rack": "", "at": "a b"}
    stamp, line = render(Line("warning", "x", "two\nlines", details)).split(" WARNING ")
    assert line == ('two | lines topic=songs isr=[1,2] reason="a \\"b\\" c" rack="" at="a b"')
    assert datetime.fromisoformat(stamp).tzinfo is not None
    assert render(Line("error", "x", "it broke", {}, "Trace")).endswith("\nTrace")
    assert [unquoted(quoted(value)) for value in ("a", 'a "b"', "\\ ")] == ["a", 'a "b"', "\\ "]


def test_nodes_that_run_are_found_by_their_command_lines(tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("node.id=3\nprocess.roles=broker\n")
    lines = [
        f"  11 /opt/venv/bin/python -m raftka server {file}",
        f"  12 /usr/bin/python3 /usr/local/bin/raftka server {file} --override node.id=4",
        "  13 python -m raftka topics --list",
        "  14 vi server.properties",
        "  15 grep raftka server",
    ]
    found = {node.pid: node for node in running_nodes(lines)}
    assert found[11].matches("3", "broker")
    assert not found[11].matches("4", None)
    assert not found[11].matches(None, "controller")
    assert found[12].matches("4", None)
    assert 13 not in found and 14 not in found


def test_the_entry_point_of_the_package_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["raftka"].partition(":")
    monkeypatch.setattr(sys, "argv", ["raftka", "version"])
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as ended:
            getattr(importlib.import_module(module), function)()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("words", "redirection", "code", "said"),
    [
        ("storage random-uuid", ">/dev/full", 1, "standard out: No space left on device"),
        ("version", ">&-", 0, ""),
        ("topics --help", ">&-", 0, ""),
        ("version", ">/dev/full", 1, "standard out: No space left on device"),
        ("trace-merge /nowhere.jsonl", "", 1, "/nowhere.jsonl: No such file or directory"),
        ("topics --bootstrap-server nowhere --list", "<&-", 1, "bootstrap.servers"),
    ],
)
def test_standard_streams_may_be_closed_or_full(
    words: str, redirection: str, code: int, said: str
) -> None:
    if redirection.endswith("/dev/full") and not Path("/dev/full").exists():
        pytest.skip("the system has no /dev/full")
    line = f"{sys.executable} -m raftka {words} {redirection}"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in done.stderr


INTERRUPTED_WHILE_IMPORTING = """
import os
import signal
import sys

signal.signal(signal.SIGINT, {handler})


class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)


sys.meta_path.insert(0, Interrupting())
sys.argv = ["raftka", "topics", "--version"]
from raftka.main import run

run()
"""


@pytest.mark.parametrize("module", ["raftka.commands", "raftka.client.tools.topics", "trio"])
def test_an_interrupt_while_modules_are_imported_ends_without_a_traceback(module: str) -> None:
    script = INTERRUPTED_WHILE_IMPORTING.format(module=module, handler="signal.default_int_handler")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, "", "")


def test_an_interrupt_that_the_parent_ignores_is_ignored() -> None:
    script = INTERRUPTED_WHILE_IMPORTING.format(module="trio", handler="signal.SIG_IGN")
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "4.4.0\n")


@pytest.mark.parametrize("words", ["version", "storage random-uuid"])
def test_a_reader_that_has_gone_is_named_as_what_is_wrong(words: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        line = [sys.executable, "-m", "raftka", *words.split()]
        ran = subprocess.run(line, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writer)
    assert (ran.returncode, ran.stderr) == (1, "Unable to write to standard out, closing.\n")
