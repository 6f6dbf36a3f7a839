"""The transaction coordinator: who may produce under a transactional id, and whether what it has
produced counts.

A transactional id lives in one partition of __transaction_state, chosen by its name, and the leader
of that partition coordinates it. `shard.TransactionShard` is everything that one partition knows,
without I/O.

Reading order: state (the data and its transitions), records (how they are written), init (a
producer begins, and fences its predecessor), ending (commit, abort, timeouts, markers), shard (how
they work together), service (what handlers will call).

A transaction's life (KIP-98, KIP-890):

    Empty -> Ongoing -> PrepareCommit -> CompleteCommit -> Ongoing ...
                     -> PrepareAbort  -> CompleteAbort

The decision is made when the Prepare record is committed: from then on this coordinator, or the
next, writes an end marker into every partition of the transaction, whatever leaders die meanwhile,
and the Complete record once all of them have it. Markers carry the coordinator's epoch, so that one
that has been replaced cannot end what its successor has begun.

transaction.version, as the client and the cluster have it:

- 0 and 1: a producer keeps its epoch from one transaction to the next. 1 has partitions verify a
  producer's first batch with the coordinator (a matter of partitions), and writes records in the
  flexible layout.
- 2: each end of a transaction raises the epoch, so that no late batch of it can join the next one.
"""
