"""`python -m raftka`."""

from raftka.main import run

run()
