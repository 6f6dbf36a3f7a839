"""What a streams group of the load still lacks once all has healed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from raftka.simulations.load.streams_group import StreamsGroupLoad


def owed(*, cleaned: set[int], read: int) -> str | None:
    """What a group waits for after reading up to an offset in records 50, 52 and 54."""
    key = ("t", 0)
    history = SimpleNamespace(
        partitions={key: SimpleNamespace(acked={50, 52, 54}, start=0)},
        may_be_gone=lambda _, offset: offset in cleaned,
        excused=lambda _: False,
        consumed_to=lambda _, __: read,
    )
    load = SimpleNamespace(
        _is_excused=lambda: False,
        checker=SimpleNamespace(idle=lambda _: []),
        tasks=list,
        world=SimpleNamespace(history=history),
        plan=SimpleNamespace(name="application", topics=["t"]),
    )
    return StreamsGroupLoad.waits_for(cast(Any, load))


def test_it_is_owed_the_last_record_that_is_still_there() -> None:
    assert owed(cleaned=set(), read=54) == (
        "streams group application has not seen offset 54 of t-0; it is at 54"
    )
    assert owed(cleaned=set(), read=55) is None


def test_it_is_not_owed_what_was_cleaned_away() -> None:
    assert owed(cleaned={54}, read=53) is None
    assert owed(cleaned={54}, read=52) is not None
    assert owed(cleaned={50, 52, 54}, read=0) is None
