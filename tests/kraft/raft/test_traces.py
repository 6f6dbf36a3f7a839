"""Sequences of events as text: the messages between nodes, and their effects.

Each file of traces/ is a story with commands (see lab.py), each followed by its effects. People
read them: commit a change only when you understand it, as in etcd's raft.

    python -m tests.kraft.raft.test_traces          write what the commands lead to now
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kraft.raft.lab import Lab

TRACES = sorted((Path(__file__).parent / "traces").glob("*.txt"))


def retold(text: str) -> str:
    """The same story with the present effects of its commands."""
    lab = Lab()
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("> "):
            lines.append(line)
            lines += [f"    {said}" for said in lab.run(line[2:])]
        elif not line.startswith("    "):
            lines.append(line)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_a_story_comes_about_as_written(path: Path) -> None:
    text = path.read_text()
    assert retold(text) == text, "if this is meant: python -m tests.kraft.raft.test_traces"


def test_there_are_stories_of_every_subject() -> None:
    assert len(TRACES) >= 20


if __name__ == "__main__":
    for each in TRACES:
        each.write_text(retold(each.read_text()))
