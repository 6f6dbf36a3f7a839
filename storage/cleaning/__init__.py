"""Compaction: of each key the last value stays. Pure rules, and an executor behind the disk port.

    plan.py           what of a log may be cleaned, how dirty it is, which segments become one
    offset_map.py     the last offset of each key in the dirty section, within a bound of memory
    transactions.py   which batches were aborted, and when a transaction's marker may go
    sieve.py          what stays of one batch
    job.py            one cleaning, step by step: reads segments, writes .cleaned files
    swap.py           .cleaned -> .swap -> in the log's place; what a crash in the middle leaves
    cleaner.py        a broker's cleaner: which log next, how fast, what it reports

Offsets never change. What a job writes counts only once it is swapped in, so that it may end at any
moment. Sources: Kafka's documentation, "Log Compaction"; KIP-58 (min.compaction.lag.ms), KIP-354
(max.compaction.lag.ms), KIP-534 (delete horizon), KIP-98 (transactions).
"""
