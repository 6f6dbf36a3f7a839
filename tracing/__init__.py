"""The trace of simulated and real nodes: events at a process's ports, with their causes.

docs/trace.md describes the format; `kinds.py` holds the same as data.
"""
