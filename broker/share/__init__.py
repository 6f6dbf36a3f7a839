"""Share groups in the partitions that this broker leads (KIP-932).

A share-partition is a partition as one share group sees it: members acquire records for a while
and acknowledge them one by one, in any order, and what they do not acknowledge is delivered again.

- `batches` is the vocabulary: ranges of offsets with a delivery state and count, and how newer
  ranges are laid over older ones. The share coordinator uses it too.
- `partition` is one share-partition as a state machine without I/O: what may be acquired, by whom,
  until when; what an acknowledgement changes; which changes must be persisted first.
"""
