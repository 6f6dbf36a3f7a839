"""Share groups in the partitions that this broker leads (KIP-932).

A share-partition is a pair of share group and partition: members acquire records for a limited time
and acknowledge them individually, in any order; unacknowledged records are delivered again.

- `batches` is the vocabulary: ranges of offsets with a delivery state and count, and how newer
  ranges override older ones. The share coordinator uses it too.
- `partition` is one share-partition as a state machine without I/O: which records a member may
  acquire, and until when; the effect of acknowledgements; which changes must be persisted first.
"""
