"""The simulated machines: what a node runs on, and what can break under it."""
