"""Share groups (KIP-932): members that consume the same partitions concurrently.

A member subscribes to topics in its heartbeats, and the answers contain its partitions; no member
waits for another, since several may have the same partition. Before a partition is assigned, the
share coordinator must initialize its state: the shard requests that by an effect.
"""
