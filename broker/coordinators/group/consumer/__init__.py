"""Consumer groups (KIP-848): the coordinator assigns, and members follow by heartbeats.

Theory of operation. The group has an epoch: it grows whenever its members, what they subscribe to
or the topics themselves change. For each epoch the coordinator computes a target: which member
will have which partitions (target.py, assignors/). Members reach the target one by one, each by
its own heartbeats (reconcile.py):

    Stable              the member has what its target says, at the target's epoch
    UnrevokedPartitions it has something that its target does not give it: it keeps its epoch, gives
                        those partitions back, and says so by naming what it still owns
    UnreleasedPartitions it is at the target's epoch and waits for partitions that others still have

A partition is handed to a member only when no other has it: so each has one owner at any time, and
a member that keeps its partitions never stops reading them. A member that does not give back in its
rebalance timeout, or is silent for a session, is fenced: it loses everything and joins again.
Commits are fenced by the member's epoch. Everything is in __consumer_offsets before a member is
answered (log.py), so that the next coordinator goes on where this one stopped.
"""
