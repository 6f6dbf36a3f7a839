"""Streams groups (KIP-1071): the applications of Kafka Streams, whose tasks the broker assigns.

- `group.py`: members, their tasks, the target; `log.py`: their records.
- `topology.py`: how many tasks a topology has, and which internal topics are missing.
- `assignor.py`: which member runs which task; `target.py`: when that is decided.
- `reconcile.py`: moves one member towards its target.
- `membership.py`: joins, fencing, sessions; `heartbeat.py`: the request that drives all of it.
- `kind.py`: the operations that a shard needs; `describe.py`, `service.py`: the API.

A task is a subtopology and a partition of its input. One member runs it (active); others may keep
copies of its state (standby, warm-up), in other processes than the active task's.
"""
