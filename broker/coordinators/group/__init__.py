"""The group coordinator: the members of groups, their assigned partitions and committed offsets.

A group lives in one partition of __consumer_offsets, chosen by the hash of its name, and the leader
of that partition coordinates it. `shard.GroupShard` holds the state of one partition, without I/O;
handlers call `service`, which runs on the runtime that all coordinators share.

Reading order: group (the data), join -> rebalance -> sync (how a generation is formed), offsets,
shard (how they work together), ../runtime (when an answer may be sent).
"""
