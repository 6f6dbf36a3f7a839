"""Simulated nodes' log lines go to the run, and nowhere else."""

from __future__ import annotations

import logging
from typing import Any

from raftka.model import logs
from raftka.simulations.observers.logs import captured

log = logs.get_logger(__name__)
clients = logging.getLogger("raftka.somewhere")


class Lines(list[str]):
    def sink(self, node: str, level: str, words: str, details: dict[str, Any]) -> None:
        self.append(f"{level} {words} {details}")


def test_lines_of_nodes_and_clients_reach_the_run() -> None:
    lines = Lines()
    with captured(lines.sink):
        log.info("elected", epoch=3)
        log.debug("not told")
        clients.warning("gone")
        try:
            raise ValueError("lost")
        except ValueError:
            log.exception("caught")
            clients.exception("caught too")
    assert lines[:2] == ["info elected {'epoch': 3}", "warning gone {}"]
    assert "ValueError: lost" in lines[2] and "ValueError: lost" in lines[3]


def test_logging_is_left_as_it_was_found() -> None:
    raftka = logging.getLogger("raftka")
    with logs.captured(level=logs.Level.DEBUG) as outside:
        before = (logs.levels(), list(raftka.handlers), raftka.level, raftka.propagate)
        with captured(Lines().sink):
            log.info("inside")
            log.debug("below what a run takes")
        assert (logs.levels(), list(raftka.handlers), raftka.level, raftka.propagate) == before
        log.debug("outside")
    assert [line.words for line in outside] == ["outside"]
