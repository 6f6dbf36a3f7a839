"""Compaction keeps the last value of each key. Pure rules, and an executor behind the disk port.

    plan.py which part of a log may be cleaned, how dirty it is, which segments are merged
    offset_map.py     the last offset of each key in the dirty section, within a memory limit
    transactions.py   which batches were aborted, and when a transaction's marker may be removed
    sieve.py which records of a batch stay
    job.py            one cleaning, step by step: reads segments, writes .cleaned files
    swap.py           .cleaned -> .swap -> the log; recovery after a crash in between
    cleaner.py        a broker's cleaner: which log is next, how fast, reports

Offsets never change. The output of a job takes effect only when it is swapped in, so a job may be
aborted at any moment. Sources: Kafka's documentation, "Log Compaction"; KIP-58
(min.compaction.lag.ms), KIP-354 (max.compaction.lag.ms), KIP-534 (delete horizon), KIP-98
(transactions).
"""
