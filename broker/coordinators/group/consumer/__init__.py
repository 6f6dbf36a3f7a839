"""Consumer groups (KIP-848): the coordinator assigns partitions, and members learn of them by
heartbeats.

Theory of operation. The group has an epoch that increases whenever its members, their subscriptions
or the subscribed topics change. For each epoch the coordinator computes a target assignment of
partitions to members (target.py, assignors/). Each member moves to its target independently, by its
own heartbeats (reconcile.py):

    Stable              the member has what its target says, at the target's epoch
    UnrevokedPartitions it has something that its target does not give it: it keeps its epoch, gives
                        those partitions back, and says so by naming what it still owns
    UnreleasedPartitions it is at the target's epoch and waits for partitions that others still have

The coordinator assigns a partition to a member only after every other member has released it: so
each partition has one owner at any time, and a member that keeps its partitions never stops reading
them. The coordinator fences a member that does not revoke partitions within its rebalance timeout,
or sends no heartbeat for a session timeout: the member loses its partitions and joins again.
Commits are fenced by the member epoch. All state is in __consumer_offsets before a member is
answered (log.py), so that the next coordinator continues from it.
"""
