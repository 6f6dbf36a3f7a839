"""How a tool reports errors to its user."""

from __future__ import annotations

import pytest
import trio

from raftka.client.tools.options import ToolError
from raftka.client.tools.running import execute


def test_an_error_of_a_task_of_the_work_is_a_sentence_as_well(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def fail() -> None:
        raise ToolError("there is no such topic")

    async def work() -> None:
        async with trio.open_nursery() as outer:
            outer.start_soon(trio.sleep_forever)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)

    assert execute(work, "Error: ") == 1
    assert capfd.readouterr().err == "Error: there is no such topic\n"


def test_an_output_that_is_closed_in_a_task_is_no_defect(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raftka.client.tools.running._drop_output", lambda: None)

    async def write() -> None:
        raise BrokenPipeError

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)

    assert execute(work, "Error: ") == 1
    assert capfd.readouterr().err == "Unable to write to standard out, closing.\n"
