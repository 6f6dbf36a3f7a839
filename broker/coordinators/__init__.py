"""Coordinators: state machines that live in a partition of an internal topic.

Each keeps its state in memory and its truth in the log: an operation decides on memory, hands out
records, and is answered once they are committed; whoever leads the partition next replays them.
"""
