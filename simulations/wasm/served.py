"""The sessions of a page that runs the engine itself: one line of JSON in, lines of JSON out."""

from __future__ import annotations

from collections.abc import Callable

from raftka.learn.teacher import Teacher


class Served:
    """One page's teacher; it carries out each request before it returns."""

    def __init__(self, answer: Callable[[str], object]) -> None:
        self._answer = answer
        self._teacher = Teacher()

    def ask(self, line: str) -> None:
        """Answer one request (docs/session.md), each line as soon as it is there."""
        for each in self._teacher.lines(line):
            self._answer(each)
