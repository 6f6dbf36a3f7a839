"""Which broker processes the controller considers alive."""

from __future__ import annotations

from raftka.broker.controller.sessions import BrokerSession, BrokerSessions
from raftka.kraft.image import BrokerImage

ONE = BrokerImage(1, b"i", 10, (), fenced=False)
TWO = BrokerImage(2, b"i", 11, (), fenced=False)


def sessions() -> BrokerSessions:
    return BrokerSessions(9.0, 100.0, [ONE, TWO])


def test_a_new_controller_gives_everybody_a_session() -> None:
    known = sessions()
    assert known.is_alive(ONE, 108.0, same_address=False)
    assert not known.is_alive(ONE, 110.0, same_address=False)
    assert [each.broker_id for each in tick(known, 100.0, 110.0)] == [1, 2]


def tick(known: BrokerSessions, start: float, end: float) -> list[BrokerSession]:
    """Check as often as a controller does; the last result."""
    now, found = start, []
    while now < end:
        now += 0.25
        found = known.expired(now)
    return found


def test_a_heartbeat_renews_the_session_of_that_process_only() -> None:
    known = sessions()
    known.heard(1, 10, 105.0, metadata_offset=7)
    assert known.get(1, 99) is None
    assert [each.broker_id for each in tick(known, 100.0, 111.0)] == [2]
    assert known.is_alive(ONE, 111.0, same_address=False)
    known.heard(1, 20, 111.0)
    assert known.get(1, 10) is None, "the process with epoch 10 is history"


def test_a_process_whose_connections_all_broke_is_a_suspect() -> None:
    known = sessions()
    known.heard(1, 10, 101.0, connection="a")
    known.heard(1, 10, 102.0, connection="b")
    assert known.disconnected("a") == []
    (suspect,) = known.disconnected("b")
    assert suspect.broker_id == 1 and suspect.is_suspect
    assert known.disconnected("b") == []
    assert not known.is_alive(ONE, 102.0, same_address=False), "another may take its id at once"
    known.heard(1, 10, 103.0, connection="c")
    assert not suspect.is_suspect and known.is_alive(ONE, 103.0, same_address=True)


def test_a_successor_at_the_same_address_need_not_wait_for_the_timeout() -> None:
    known = sessions()
    assert not known.is_alive(ONE, 101.0, same_address=True)
    known.heard(1, 10, 101.0, connection="a")
    assert known.is_alive(ONE, 101.0, same_address=True), "unless the first is connected here"


def test_a_fenced_process_that_is_not_here_has_nothing_to_lose() -> None:
    fenced = BrokerImage(1, b"i", 10, (), fenced=True)
    assert not sessions().is_alive(fenced, 101.0, same_address=False)


def test_when_the_controller_itself_slept_everybody_gets_that_much_more() -> None:
    known = sessions()
    assert known.expired(100.25) == []
    assert known.expired(130.0) == []
    assert known.expired(130.25) == []
    assert [each.broker_id for each in tick(known, 130.25, 139.5)] == [1, 2]


def test_how_far_everybody_has_followed() -> None:
    known = sessions()
    known.heard(1, 10, 101.0, metadata_offset=7)
    assert known.lowest_offset([1, 2]) == -1
    known.heard(2, 11, 101.0, metadata_offset=5)
    known.heard(2, 11, 102.0, metadata_offset=4)
    assert known.lowest_offset([1, 2]) == 5, "an old heartbeat takes nothing back"
    assert known.lowest_offset([3]) == -1
    known.forget(2)
    assert known.lowest_offset([1]) == 7
