"""A class that predicts: the votes of each seat, and the events that its students may see so far.

A student's page gets an exercise (a lesson with its recorded run) up to the first question that is
not opened: no later event, no right answer, no word that reveals it. The teacher opens one question
after the other. A seat is a browser; it has one vote for each question, and no name.

Pure: class_server.py does the I/O.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from raftka.learn.recording import Recording

SEATS_MAX: Final = 200
"""The most browsers with votes in one class, and the most open pages at once."""


class Refused(Exception):
    """A vote that does not count; the message is a code that the page translates."""


@dataclass(frozen=True)
class Exercise:
    """One lesson with its run, and the number of events that may be sent."""

    about: Mapping[str, Any]
    """`Recording.about` of the run."""
    lines: Sequence[str]
    """The run's events."""

    @classmethod
    def of(cls, recording: Recording) -> Exercise:
        """Raises ValueError when the recording is no lesson's."""
        if recording.lesson is None:
            raise ValueError("only a lesson asks something")
        return cls(recording.about(), recording.lines)

    @property
    def name(self) -> str:
        """The lesson's."""
        return str(self.about["lesson"]["name"])

    @property
    def asks(self) -> list[Mapping[str, Any]]:
        """The questions, in order."""
        return [step for step in self.about["lesson"]["steps"] if step["kind"] == "ask"]

    def sent(self, opened: int) -> dict[str, Any]:
        """The run for a student's page with that many questions opened: a packed run of
        web/src/model/recorded.ts, whose newest question has no right answer.
        """
        lesson = self.about["lesson"]
        steps = _steps(lesson["steps"], opened)
        is_whole = opened >= len(self.asks)
        lines: Sequence[str] = self.lines
        if not is_whole:
            until_s = steps[-1]["t"]
            lines = [line for line in lines if json.loads(line)["t"] <= until_s]
        told = {
            **lesson,
            "steps": steps,
            "words": {
                language: _words(table, steps, is_whole)
                for language, table in lesson["words"].items()
            },
        }
        found = {**self.about, "lesson": told}
        if not is_whole:
            # They describe the whole run, and so later events.
            found |= {"hash": "", "violations": [], "inevitable": None, "figures": None}
        zipped = gzip.compress("\n".join(lines).encode(), compresslevel=9, mtime=0)
        return {**found, "events_gz": base64.b64encode(zipped).decode()}


def _steps(steps: Sequence[Mapping[str, Any]], opened: int) -> list[dict[str, Any]]:
    """Up to the first question that is not opened."""
    found: list[dict[str, Any]] = []
    for step in steps:
        if step["kind"] == "ask":
            if opened == 0:
                found.append({key: value for key, value in step.items() if key != "right"})
                break
            opened -= 1
        found.append(dict(step))
    return found


def _words(
    table: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], is_whole: bool
) -> dict[str, Any]:
    def of(kind: str) -> dict[str, Any]:
        known = table.get(kind, {})
        return {step["key"]: known[step["key"]] for step in steps if step["kind"] == kind}

    return {
        "title": table["title"],
        "story": table["story"],
        "takeaway": table["takeaway"] if is_whole else "",
        "ask": of("ask"),
        "reveal": of("reveal"),
    }


@dataclass
class _Held:
    """An exercise as the class has it."""

    exercise: Exercise
    opened: int = 0
    votes: list[dict[str, str]] = field(default_factory=list)
    """For each question, the answer of each seat."""
    present: Counter[str] = field(default_factory=Counter)
    """How many pages each seat has open."""
    packed: dict[int, str] = field(default_factory=dict)


class Classroom:
    """One class, from the start of its server to the end."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names: Final = tuple(names)
        self._held: dict[str, _Held] = {}
        self._seats: set[str] = set()
        """The seats that have voted."""

    def add(self, exercise: Exercise) -> None:
        """All exercises of `names` are ready."""
        votes: list[dict[str, str]] = [{} for _ in exercise.asks]
        self._held[exercise.name] = _Held(exercise, votes=votes)

    def has(self, name: str) -> bool:
        """Whether the exercise was added."""
        return name in self._held

    def arrive(self, name: str, seat: str) -> None:
        """A seat opens a page. Raises Refused("full")."""
        present = self._held[name].present
        if sum(sum(each.present.values()) for each in self._held.values()) >= SEATS_MAX:
            raise Refused("full")
        present[seat] += 1

    def leave(self, name: str, seat: str) -> None:
        """A page that had opened is closed; its vote stays."""
        present = self._held[name].present
        present[seat] -= 1
        if present[seat] <= 0:
            del present[seat]

    def vote(self, name: str, seat: str, question: object, answer: object) -> None:
        """Count a seat's answer, in place of its former one. Raises Refused: the question is not
        the one that is open for votes, it has no such answer, or too many seats have voted."""
        held = self._held[name]
        asks = held.exercise.asks
        if question != held.opened or isinstance(question, bool) or held.opened >= len(asks):
            raise Refused("closed")
        if answer not in asks[held.opened]["answers"]:
            raise Refused("no-answer")
        if seat not in self._seats and len(self._seats) >= SEATS_MAX:
            raise Refused("full")
        self._seats.add(seat)
        held.votes[held.opened][seat] = str(answer)

    def open(self, name: str, question: object) -> None:
        """The teacher opens the answer of a question; a repetition changes nothing."""
        held = self._held[name]
        if question == held.opened and not isinstance(question, bool):
            held.opened = min(held.opened + 1, len(held.votes))

    def opened(self, name: str) -> int:
        """The number of its opened questions."""
        return self._held[name].opened

    def is_whole(self, name: str) -> bool:
        """Whether its last answer is opened."""
        held = self._held[name]
        return held.opened >= len(held.votes)

    def packed(self, name: str) -> str:
        """The part of the run that a student's page may have now, as JSON."""
        held = self._held[name]
        if held.opened not in held.packed:
            run = held.exercise.sent(held.opened)
            held.packed[held.opened] = json.dumps(run, separators=(",", ":"))
        return held.packed[held.opened]

    def of_student(self, name: str, seat: str) -> dict[str, Any]:
        """The state for the page of a seat: the number of opened questions, and its own votes."""
        held = self._held[name]
        return {"opened": held.opened, "votes": [votes.get(seat) for votes in held.votes]}

    def of_teacher(self) -> list[dict[str, Any]]:
        """All exercises that are ready, with counts, and with no seat."""
        return [
            {
                "name": name,
                "present": len(held.present),
                "opened": held.opened,
                "counts": [
                    {answer: sum(given == answer for given in votes.values()) for answer in answers}
                    for votes, answers in zip(
                        held.votes, (ask["answers"] for ask in held.exercise.asks), strict=True
                    )
                ],
            }
            for name in self.names
            if (held := self._held.get(name)) is not None
        ]
