"""The page's engine as a process of its own: requests by lines on standard in, answers by lines on
standard out. A simulation puts functions of its own in the place of trio's while it runs, and the
server that carries the lines is a trio program too: they must not share an interpreter."""

from __future__ import annotations

import sys

from raftka.learn.teacher import Teacher


def main() -> None:
    """Answer requests until standard in ends, or the reader has gone."""
    teacher = Teacher()
    try:
        for line in sys.stdin:
            for answer in teacher.lines(line):
                sys.stdout.write(answer + "\n")
                sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None
    finally:
        teacher.close()


if __name__ == "__main__":
    main()
