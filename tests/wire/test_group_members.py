"""Real clients' groups while members and brokers die; the long form: benchmarks.group_members.

Each takes half a minute, so two of them run by default, one for each new protocol, and all of them
with RAFTKA_ALL_CLIENTS=1, where what they need is there: go, node and npm, or java and
RAFTKA_KAFKA_LIBRARIES, a class path with Kafka's clients.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import group_members
from benchmarks.group_cases.clients import CLIENTS, Missing

pytestmark = pytest.mark.wire


_USUAL = ("confluent-consumer", "raftka-share")


@pytest.mark.parametrize("name", CLIENTS if "RAFTKA_ALL_CLIENTS" in os.environ else _USUAL)
def test_a_group_keeps_its_promises_while_members_and_brokers_die(
    name: str, tmp_path: Path
) -> None:
    libraries = [path for path in [os.environ.get("RAFTKA_KAFKA_LIBRARIES")] if path]
    try:
        outcome = group_members.run(
            name, 6.0, seed=7, session_ms=6_000, libraries=libraries, keep=str(tmp_path)
        )
    except Missing as error:
        pytest.skip(str(error))
    assert outcome.wrong == [], outcome.words
    assert "1 brokers killed" in outcome.words or "2 brokers killed" in outcome.words
