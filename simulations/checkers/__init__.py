"""Invariants, each checked from what observers see: a violation stops the run and gets a story."""
