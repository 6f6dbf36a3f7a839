"""The trace of simulated and real nodes: what passes a process's ports, with its causes.

docs/trace.md describes the format; `kinds.py` holds the same as data.
"""
