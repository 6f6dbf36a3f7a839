"""Counts how often a checker checked each rule, by the names of violations."""

from __future__ import annotations


class Looks(dict[str, int]):
    """How often each rule was checked; a comparison may count for several rules."""

    checks = 0
    """How many comparisons were made."""

    def __call__(self, *rules: str) -> None:
        """Compare something."""
        self.checks += 1
        for rule in rules:
            self[rule] = self.get(rule, 0) + 1

    def at(self, *rules: str) -> None:
        """Count these rules, too, within a comparison that is already counted."""
        for rule in rules:
            self[rule] = self.get(rule, 0) + 1
