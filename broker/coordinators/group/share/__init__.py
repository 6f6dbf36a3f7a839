"""Share groups (KIP-932): members that work on the same partitions side by side.

A member says in heartbeats which topics it wants and is answered its partitions; no member waits
for another, since several may have one partition. Before a partition is assigned, its state
must have begun at the share coordinator: the shard asks for that by an effect.
"""
