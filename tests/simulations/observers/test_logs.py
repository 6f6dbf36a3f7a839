"""Simulated nodes' log lines go to the run, and nobody else notices."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from raftka.simulations.observers.logs import captured

log = structlog.get_logger()
clients = logging.getLogger("raftka.somewhere")


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    found = structlog.get_config() if structlog.is_configured() else None
    vars(log).pop("bind", None)
    yield
    vars(log).pop("bind", None)
    structlog.reset_defaults()
    if found is not None:
        structlog.configure(**found)


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
    before = (structlog.is_configured(), list(raftka.handlers), raftka.level, raftka.propagate)
    with captured(Lines().sink):
        log.info("inside")
    after = (structlog.is_configured(), list(raftka.handlers), raftka.level, raftka.propagate)
    assert after == before
    with capture_logs() as lines:
        log.info("outside")
    assert [line["event"] for line in lines] == ["outside"]


def test_a_logger_that_keeps_where_its_lines_go_is_used_all_the_same() -> None:
    outside = Lines()

    def processor(_: object, level: str, event: Any) -> str:
        outside.append(event["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[processor], cache_logger_on_first_use=True)
    log.info("before")
    inside = Lines()
    with captured(inside.sink):
        log.info("within")
    structlog.reset_defaults()
    log.info("after")
    assert outside == ["before", "after"]
    assert inside == ["info within {}"]
