"""Kafka's own Streams and Connect against real nodes, one of which is killed.

They run where the environment names a script that runs Kafka's classes, RAFTKA_KAFKA_SCRIPT, and
java is there; RAFTKA_KAFKA_LIBRARIES is a class path instead of the script's. The long form is
`python -m benchmarks.runtimes`.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import pytest

from benchmarks import runtimes
from benchmarks.runtime_cases.stage import Missing, Unlike

SCRIPT = os.environ.get("RAFTKA_KAFKA_SCRIPT", "")


def test_what_fails_is_counted_and_what_lacks_classes_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(name: str, options: argparse.Namespace, *, killing: bool) -> str:
        if name == "pipe":
            raise Missing("no such class")
        if killing:
            raise Unlike("a count came twice")
        return "fine"

    monkeypatch.setattr(runtimes, "run", run)
    assert runtimes.main(["--kafka", "kafka", "pipe"]) == 0
    assert runtimes.main(["--kafka", "kafka", "--no-kill", "mirror-maker"]) == 0
    assert runtimes.main(["--kafka", "kafka", "mirror-maker"]) == 1
    printed = capsys.readouterr().out
    assert "pipe: SKIPPED: no such class" in printed
    assert "mirror-maker, a broker killed: FAILED: a count came twice" in printed


@pytest.mark.wire
@pytest.mark.skipif(not SCRIPT or not shutil.which("java"), reason="no java, or no script for it")
@pytest.mark.parametrize("name", ["wordcount-exactly_once_v2", "connect-distributed"])
def test_it_runs_while_a_broker_is_killed(name: str, tmp_path: Path) -> None:
    libraries = os.environ.get("RAFTKA_KAFKA_LIBRARIES", "")
    options = argparse.Namespace(
        kafka=SCRIPT,
        libraries=[libraries] if libraries else [],
        directory=str(tmp_path),
        keep=None,
    )
    try:
        runtimes.run(name, options, killing=True)
    except Missing as error:
        pytest.skip(str(error))
