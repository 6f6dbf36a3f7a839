"""Streams groups (KIP-1071): the applications of Kafka Streams, whose tasks the broker assigns.

- `group.py`: members, their tasks, the target; `log.py`: their records.
- `topology.py`: how many tasks a topology has, and which internal topics are missing.
- `assignor.py`: which member runs which task; `target.py`: when that is decided.
- `reconcile.py`: one member on its way to its target.
- `membership.py`: joins, fencing, sessions; `heartbeat.py`: the request that drives it all.
- `kind.py`: what a shard asks of the kind; `describe.py`, `service.py`: the API.

A task is a subtopology and a partition of its input. One member runs it (active); others may keep
copies of its state (standby, warm-up), on other processes than the one that runs it.
"""
