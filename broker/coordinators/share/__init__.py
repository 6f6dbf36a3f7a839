"""The share coordinator: the delivery state of share groups, in __share_group_state (KIP-932).

For each share-partition (a pair of share group and partition) it stores the start offset and the
delivery states after it. A partition's leader writes the acknowledgements of members, and a new
leader reads them; group coordinators initialize and delete state. `shard` decides, `service` is its
API.
"""
