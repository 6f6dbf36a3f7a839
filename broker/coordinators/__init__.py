"""Coordinators: state machines that live in a partition of an internal topic.

Each keeps its state in memory and its truth in the log: an operation decides on memory, hands out
records, and is answered once they are committed; the next leader of the partition replays them.

Reading order: `shard` (the contract of a state machine), `outbox` (what it hands out), `runtime`
(when records are appended, when answers and effects may leave), `hosted_partition` (election,
loading, loading again), `host` (all partitions of one broker, errors as clients hear them),
`replicated_log` (the log behind it). A coordinator adds a shard and a thin service of its API:
`group/`. tests/support/bank.py is the smallest one that uses everything.
"""
