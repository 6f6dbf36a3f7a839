"""Coordinators: state machines that live in a partition of an internal topic.

Each keeps its state in memory and persists it in the log: an operation decides in memory, emits
records, and is answered once they are committed; the next leader of the partition replays them.

Reading order: `shard` (the contract of a state machine), `outbox` (the records, answers and effects
that it emits), `runtime` (when records are appended, when answers and effects may leave),
`hosted_partition` (election, loading, reloading), `host` (all partitions of one broker, mapping of
errors for clients), `replicated_log` (the log behind it). A coordinator adds a shard and a thin
service of its API: `group/`. tests/support/bank.py is the smallest example that uses everything.
"""
