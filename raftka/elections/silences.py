"""Explains why a node was silent: its process was stopped, or its network was cut. Pure. Its peers'
recorders show when the silence began; only its own shows the reason. A process that was stopped
records that when it resumes. A process that was cut off kept running, and recorded that its peers
were silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from raftka.elections.steps import Event, Step

_SAME_S: Final = 1.0
"""Two nodes notice the same cut within this time."""


class Silence(NamedTuple):
    """The reason of a node's silence."""

    words: str
    step: Step


class Silences:
    """The silences in the events; times are seconds since 1970."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._heard_of: dict[str, list[Event]] = {}
        """The node that its peers found silent."""
        self._noticed_by: dict[str, list[Event]] = {}
        """The node that found its peers silent."""
        self._stood_still: dict[str, list[Event]] = {}
        for event in events:
            if event["kind"] == "silence":
                self._heard_of.setdefault(event["peer"], []).append(event)
                self._noticed_by.setdefault(event["node"], []).append(event)
            elif event["kind"] == "stood-still":
                self._stood_still.setdefault(event["node"], []).append(event)

    def of(self, host: str, after_s: float, until_s: float) -> float | None:
        """Since when a node was silent, among silences that began between the two times. The last
        peer that heard it counts, except peers that were stopped themselves.
        """
        found = [
            float(event["since_s"])
            for event in self._heard_of.get(host, ())
            if after_s <= event["since_s"] <= until_s
        ]
        return max(found, default=None)

    def why(self, host: str, since_s: float) -> Silence | None:
        """The reason of that silence; None when no recorder shows it."""
        for event in self._stood_still.get(host, ()):
            began = event["since_s"]
            if began - _SAME_S <= since_s <= began + event["seconds"]:
                words = f"its process does not run for {event['seconds']:.1f} s: paused, or no CPU"
                return Silence(f"{host} did not run", Step(began, words, host))
        alone = [
            event
            for event in self._noticed_by.get(host, ())
            if abs(event["since_s"] - since_s) <= _SAME_S
        ]
        if not alone:
            return None
        others = " and ".join(sorted({event["peer"] for event in alone}))
        began = min(event["since_s"] for event in alone)
        return Silence(
            f"the network to {host} was cut",
            Step(began, f"it hears nothing more of {others}", host),
        )
