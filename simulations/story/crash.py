"""The story of a crash: the process, the place in the code, and what happened to it before."""

from __future__ import annotations

import re
from typing import Final

from raftka.simulations.story.chronicle import LINKS, Chronicle, Event
from raftka.simulations.story.story import Row, Story, prune
from raftka.simulations.story.words import sentence

ROWS_MAX: Final = 25
_FRAMES: Final = 8
_FRAME: Final = re.compile(r'File "(.*)", line (\d+), in (.*)')
_ERROR: Final = re.compile(r"[\w.]+(Error|Exception|Touched|Journal|Connection|Group)\b.*")
_NOISE: Final = frozenset(
    [
        "quorum-append",
        "quorum-commit",
        "append",
        "high-watermark",
        "message-lost",
        "connection-lost",
    ]
)
_OURS: Final = re.compile(
    r".*?((?:model|storage|kraft|net|broker|client|simulations|raftka|tests)/.*)"
)
_NOT_THERE: Final = ("/site-packages/", "simulations/machines/determinism.py", "/contextlib.py")
"""Frames that every traceback has."""
_EVERYWHERE: Final = ("controller-elected", "heal", "violation", "fault", "operation")


def crash_story(chronicle: Chronicle, words: str) -> Story:
    """`words`: one line, followed by a traceback."""
    story = Story()
    node = chronicle.about.node or ""
    error, frames = last_frames(words)
    story.facts.append(("the error", error))
    if node:
        starts = [e for e in chronicle.events if e["kind"] == "start" and e.get("node") == node]
        words = node
        if starts:
            words += f", in its life {starts[-1].get('life', 1)}, since {starts[-1]['t']:.3f} s"
        story.facts.append(("the process", words))
    story.quote = frames
    rows = [row for event in chronicle.events if (row := _row(event, node)) is not None]
    story.timeline, story.left_out = prune(rows, ROWS_MAX, [rows[-1].at_s] if rows else [])
    story.title = f"{node or 'the run'}, event by event"
    return story


def last_frames(words: str) -> tuple[str, list[str]]:
    """The error's own line, and the innermost calls: place and code."""
    lines = [line.strip(" |+-") for line in words.splitlines()]
    error = next((line for line in reversed(lines) if _ERROR.match(line)), lines[0])
    frames: list[str] = []
    for number, line in enumerate(lines):
        if (found := _FRAME.match(line)) is not None:
            if any(part in found[1] for part in _NOT_THERE):
                continue
            ours = _OURS.match(found[1])
            code = lines[number + 1] if number + 1 < len(lines) else ""
            path = ours[1] if ours is not None else found[1]
            frames += [f"{path}:{found[2]}, in {found[3]}", f"    {code}"]
    return error, [*frames[-2 * _FRAMES :], error[:200]]


def _row(event: Event, node: str) -> Row | None:
    kind = event["kind"]
    if kind in _EVERYWHERE:
        words = f"{event['name']} is seen" if kind == "violation" else sentence(event)
        return Row(event["t"], words, 9.0 if kind == "violation" else 1.0, (), event)
    if kind == LINKS:
        return Row(event["t"], sentence(event), 1.0, (), event)
    if kind in _NOISE or event.get("node") != node:
        return None
    is_message = kind.startswith("message")
    return Row(event["t"], sentence(event), 0.5 if is_message else 2.0, (), event)
