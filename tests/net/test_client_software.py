"""Clients' API versions are counted by software, within bounds whatever clients send."""

from __future__ import annotations

import json

from raftka.net.answers import Turn
from raftka.net.client_software import OTHER, UNKNOWN
from raftka.net.request_stats import RequestStats
from raftka.net.session import Session


def session(name: str = "", version: str = "") -> Session:
    return Session(peer="h:1", listener="L", software=(name, version))


def ask(stats: RequestStats, name: str, version: int, who: Session, client_id: str | None) -> None:
    stats.begin_run(name, version)
    stats.count += 1
    stats.meet(who, client_id)


def test_versions_are_kept_by_software() -> None:
    stats = RequestStats(lambda: 0.0, Turn())
    one, two = session("rdkafka", "2"), session()
    for version in (4, 4, 7):
        ask(stats, "Fetch", version, one, "shop")
    # Not known before it is answered: the next request says whose it was.
    ask(stats, "ApiVersions", 3, two, None)
    ask(stats, "Produce", 3, two, None)
    found = list(stats.software.report({("rdkafka", "2"): 5}))
    assert found == [
        {
            "software": "rdkafka",
            "version": "2",
            "connections": 5,
            "client_ids": ["shop"],
            "apis": {"Fetch": [4, 7]},
        },
        {
            "software": UNKNOWN,
            "version": UNKNOWN,
            "connections": 0,
            "client_ids": [],
            "apis": {"Produce": [3]},
        },
    ]


def test_a_million_names_take_little_room() -> None:
    stats = RequestStats(lambda: 0.0, Turn())
    for i in range(5_000):
        ask(stats, "Fetch", i, session("n" * 10_000 + str(i), str(i)), f"{i}" * 1_000)
    found = list(stats.software.report({}))
    assert len(found) <= 201
    (other,) = (each for each in found if each["software"] == OTHER)
    assert len(other["client_ids"]) == 5
    assert len(json.dumps(found)) < 200_000
