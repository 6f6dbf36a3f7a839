"""Invariants, each checked from what observers see; a violation stops the run with a story."""
