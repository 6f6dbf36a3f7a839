"""How often a checker has looked at what, by the rules that it looks for: violations' names."""

from __future__ import annotations


class Looks(dict[str, int]):
    """By rule, how often it was looked at; a comparison may be about several."""

    checks = 0
    """How many comparisons were made."""

    def __call__(self, *rules: str) -> None:
        """Compare something."""
        self.checks += 1
        for rule in rules:
            self[rule] = self.get(rule, 0) + 1

    def at(self, *rules: str) -> None:
        """Look at these, too, within a comparison that is counted."""
        for rule in rules:
            self[rule] = self.get(rule, 0) + 1
