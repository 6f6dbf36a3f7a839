"""The engine of a playground.html, and when a class's server sends it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio

from raftka.learn.classroom import Exercise
from raftka.learn.engine_file import read as read_engine
from raftka.learn.recording import record
from raftka.simulations.runs.user_file import UnusableFile
from tests.raftka.learn.test_classroom import get, opened, serving, with_

PARTS = '<script type="text/plain" data-part="worker.js">' + "A" * 200_000 + "</script>\n"
PLAYGROUND = (
    '<html><script id="raftka-data" type="application/json">{"commit":"abc","runs":[]}</script>'
    '<script type="module">const x = 1;</script>\n'
    f"<script>start()</script>\n{PARTS}</body></html>"
)


def test_an_engine_is_what_a_playground_has_behind_its_page(tmp_path: Path) -> None:
    file = tmp_path / "playground.html"
    file.write_text(PLAYGROUND)
    engine = read_engine(file)
    assert engine.html.decode() == f"<script>start()</script>\n{PARTS}"
    assert engine.commit == "abc"
    file.write_text("<html><script>no engine</script></body></html>")
    with pytest.raises(UnusableFile, match=r"is no playground\.html.*npm run playground"):
        read_engine(file)
    with pytest.raises(UnusableFile, match="cannot be read: No such file"):
        read_engine(tmp_path / "nowhere.html")


@pytest.mark.wire
async def test_an_engine_is_sent_after_the_last_answer_of_a_lesson(tmp_path: Path) -> None:
    exercise = Exercise.of(record("first-vote"))
    file = tmp_path / "playground.html"
    file.write_text(PLAYGROUND)
    engine, name = read_engine(file), exercise.name
    with trio.fail_after(60):
        async with serving(with_(exercise), engine) as (teacher, students):
            _, _, cookie = await get(f"{students}{name}")
            address = f"{students}engine/{engine.digest}"
            target = urlsplit(f"{students}{name}").path + "/seat"
            async with (
                opened(teacher, f"/class?{urlsplit(teacher).query}") as desk,
                opened(students, target, cookie) as seat,
            ):
                assert desk is not None and seat is not None
                for question in (0, 1):
                    assert (await get(address))[0] == 403
                    assert '"engine"' not in seat.raw
                    await desk.send({"open": name, "question": question})
                    told = await seat.until(lambda each, now=question: each["opened"] > now)
                assert told["engine"] == urlsplit(address).path
                status, body, _ = await get(address)
                assert (status, body) == (200, engine.html.decode())
                assert (await get(f"{students}engine/another"))[0] == 404
                guessed = address.replace(urlsplit(students).path, "/c/guess/")
                assert (await get(guessed))[0] == 404


@pytest.mark.wire
async def test_no_engine_is_sent_while_another_lesson_is_closed(tmp_path: Path) -> None:
    exercise = Exercise.of(record("first-vote"))
    file = tmp_path / "playground.html"
    file.write_text(PLAYGROUND)
    engine, name = read_engine(file), exercise.name
    with trio.fail_after(60):
        async with serving(with_(exercise, "kill"), engine) as (teacher, students):
            _, _, cookie = await get(f"{students}{name}")
            target = urlsplit(f"{students}{name}").path + "/seat"
            async with (
                opened(teacher, f"/class?{urlsplit(teacher).query}") as desk,
                opened(students, target, cookie) as seat,
            ):
                assert desk is not None and seat is not None
                for question in (0, 1):
                    await desk.send({"open": name, "question": question})
                    told = await seat.until(lambda each, now=question: each["opened"] > now)
                assert "engine" not in told
                assert (await get(f"{students}engine/{engine.digest}"))[0] == 403
