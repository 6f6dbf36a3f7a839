"""Runs a failing run again, to see why it failed."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Protocol

from raftka.simulations.runs.run import Outcome
from raftka.simulations.story.chronicle import Chronicle
from raftka.simulations.story.crash import crash_story
from raftka.simulations.story.group import group_story
from raftka.simulations.story.partition import PartitionStory
from raftka.simulations.story.quorum import quorum_story
from raftka.simulations.story.rules import RULES
from raftka.simulations.story.story import Story
from raftka.simulations.story.stuck import stuck_story
from raftka.simulations.trace_file import Sink
from raftka.simulations.violation import Exit
from raftka.simulations.world import World


class Again(Protocol):
    """Performs the same run once more."""

    def __call__(self, *, sink: Sink, watch: Callable[[World], None]) -> Outcome: ...


def explain(outcome: Outcome, again: Again) -> None:
    """Give the violation of a run its story, if it has one."""
    violation = outcome.violation
    if violation is None:
        return
    chronicle = Chronicle(violation.about)
    second = again(sink=chronicle, watch=chronicle.attach)
    try:
        story = tell(chronicle, violation.name, violation.exit, violation.story)
    except Exception:
        # The verdict and the command that replays it matter more, and follow.
        story = Story(trouble=f"the story could not be made: {traceback.format_exc()}")
    story.rule = RULES.get(violation.name, "")
    if second.trace_hash != outcome.trace_hash:
        story.trouble = (
            f"run again, the trace had the hash {second.trace_hash} instead of"
            f" {outcome.trace_hash}: this is the story of another run, and that the two differ is a"
            " defect of its own"
        )
    violation.told = story


def tell(chronicle: Chronicle, name: str, exit: Exit, words: str) -> Story:
    """The story that suits a violation."""
    about = chronicle.about
    if exit is Exit.CRASHED:
        return crash_story(chronicle, words)
    if exit is Exit.LIVENESS:
        return stuck_story(chronicle)
    if about.group is not None:
        return group_story(chronicle, name)
    if about.partition is not None:
        return PartitionStory(chronicle, name).tell()
    if about.term is not None or about.index is not None:
        return quorum_story(chronicle, name)
    return stuck_story(chronicle)
