"""The transaction coordinator: which producer may use a transactional id, and whether its
transactions commit.

A transactional id lives in one partition of __transaction_state, chosen by the hash of the id, and
the leader of that partition coordinates it. `shard.TransactionShard` holds the state of one
partition, without I/O.

Reading order: state (the data and its transitions), records (how they are written), init (a
producer starts, and fences its predecessor), ending (commit, abort, timeouts, markers), shard (how
they work together), service (the API for handlers).

A transaction's life (KIP-98, KIP-890):

Empty -> Ongoing -> PrepareCommit -> CompleteCommit -> Ongoing ... -> PrepareAbort  -> CompleteAbort

The decision is made when the Prepare record is committed: from then on this coordinator, or its
successor, writes an end marker into every partition of the transaction, even if leaders fail
meanwhile, and then the Complete record. Markers carry the coordinator's epoch, so that a replaced
coordinator cannot end a transaction of its successor.

transaction.version, the lower of the client's and the cluster's:

- 0 and 1: a producer keeps its epoch from one transaction to the next. With 1, partitions verify a
  producer's first batch with the coordinator, and records use the flexible layout.
- 2: each end of a transaction bumps the epoch, so that no late batch can join the next one.
"""
