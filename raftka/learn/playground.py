"""The page of playground.html: it lists all lessons, and includes the first one's recording, to
show while the engine in the same file starts.

    python -m raftka.learn.playground PAGE.html
"""

from __future__ import annotations

import sys
from pathlib import Path

from raftka.learn import lessons
from raftka.learn.export import packed, page
from raftka.learn.recording import record
from raftka.learn.teacher import titles
from raftka.simulations.scenarios import NAMES
from raftka.version_command import commit


def html() -> str:
    """The page, without an engine."""
    return page(
        {
            "commit": commit(),
            "lessons": titles(),
            "scenarios": list(NAMES),
            "runs": [packed(record(lessons.names()[0]))],
        }
    )


def main(arguments: list[str]) -> int:
    """Write it; the exit code."""
    if len(arguments) != 1:
        print("usage: python -m raftka.learn.playground PAGE.html", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(html(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
