"""Lessons for `raftka learn`, in the order of a course. Each is a story of the simulator, questions
that are asked before their answer, and what to point at; its words are in NAME.en.toml and
NAME.pt.toml beside it. docs/teaching.md says how to write one."""

from __future__ import annotations

from typing import Final

NAMES: Final = ("kill",)
