"""The share coordinator: how far share groups have come, in __share_group_state (KIP-932).

For each share-partition, a partition as one share group sees it, it keeps the start offset and the
delivery states after it. Leaders of partitions write what their members acknowledge, and a new
leader reads it; group coordinators initialize and delete. `shard` decides, `service` is its API.
"""
