"""Invariants, each checked by what observers see: a violation stops the run and tells its story."""
