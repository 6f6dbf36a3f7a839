"""The group coordinator: the members of consumer groups, their partitions, and their positions.

A group lives in one partition of __consumer_offsets, chosen by its name, and the leader of that
partition coordinates it. `shard.GroupShard` is everything that one partition knows, without I/O;
`service` is what handlers call, on the runtime that all coordinators share.

Reading order: group (the data), join -> rebalance -> sync (how a generation comes about), offsets,
shard (how they work together), ../runtime (when an answer may leave).
"""
