"""Lessons for `raftka learn`, in the order of a course. Each is a story of the simulator, questions
that are asked before their answer, and what to point at; its words are in NAME.en.toml and
NAME.pt.toml beside it. docs/teaching.md says how to write one."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    *("kill", "pull-the-plug", "rolling-restart"),
    *("who-may-write", "first-vote", "committed"),
    *("acks", "slow-follower", "min-insync"),
    *("split-vote", "both-at-once", "zombie-controller"),
    *("isolated-leader", "fenced", "divergent-logs"),
    *("acks-1-loss", "unclean", "last-replica-standing", "power-loss-of-all"),
    *("retry-twice", "zookeeper"),
)
