"""The metadata quorum: Raft by pysyncobj, hardened, behind one port. Nothing else imports it.

Theory of operation ===================

A quorum is a few voters that replicate one log, and observers that follow it. The log's entries are
batches of metadata records; an entry's index is its offset, Raft's term is the epoch. One voter
leads: only it appends, and an entry is committed once a majority of the voters has it on disk.

    port.py the interface to the rest of raftka: types, errors, the listener, the settings
    quorum.py           the port's implementation
    driver.py           one task that runs the engine's steps, in this order:
                        deliver inbox -> calls -> tick -> sync -> send
    links.py link.py    dialing; hellos, frames, and the end of a link
    codec.py            messages as msgpack, checked field by field

    setup.py            the inputs of an engine
    engine.py           one replica as steps without time and I/O: proposals, events, snapshots
    reconfiguration.py    replicas and their links, voters, changes of voters
    leader.py             the leader's side: windows, probes, snapshots in pieces (progress.py)
    follower.py           the follower's side: what may be truncated, committed, acknowledged
    elections.py          pre-vote, sticky leaders, leases, votes by name
    seams.py pysyncobj's SyncObj with public names

    store.py            journal.py (records.py) and snapshots.py of one directory, kept in step
    membership.py       voter sets and the offsets from which they are in force
    description.py      the answer to DescribeQuorum
    inspect.py          reading a directory without starting anything

The engine is one class in layers; each layer overrides hooks of the one below and at the bottom is
the library, which still runs elections, accepts entries, computes the commit index and applies
entries. The engine gets the time as an argument and never waits, so the same code runs under a
fuzzer of its own (tests/kraft/raft/fuzz.py), in the simulator and in production.

Defects of pysyncobj 0.3.17, and where they are fixed
===========================================================

     1  acknowledgements carry no term                              leader, follower
     2  entries sent again truncate entries that match              follower
     3  nothing stops a second membership change in flight          reconfiguration
     4  a piece of a snapshot commits an unverified tail            follower
     5  a snapshot that failed to load is acknowledged              follower
     6  votes are counted, not attributed                           elections
     7  logs that diverge converge by luck, or never       leader, follower
     8  no pre-vote, no sticky leader, a lease of 30 s              elections
     9  lost proposals may never call back                          engine
    10  an exception in apply repeats or wedges the entry           engine: events, no callbacks
    11  role changes are announced early, or not at all             engine: LeaderChanged
    12  compaction needs two applied entries                        journal: a base without content
    13  an entry of an unknown kind applies twice                   engine: refuses it
    14  a deposed leader's proposals are forwarded to the next      engine: stamps; not forwarded
    15  without batches it leaks pipes                              seams: with batches
    16  loops over sets depend on PYTHONHASHSEED                    seams: Peer's hash
     -  nothing is synced, nothing has a checksum                   journal, records, snapshots
     -  pickle in frames, files and commands                        codec; out of reach by seams
     -  an own entry counts for the leader before it is durable     leader: admit_commit

Safety depends on four properties that are easy to break when changing this code: nothing is sent
before `store.sync` (driver.py); only compared entries are acknowledged (follower.py); the commit
index moves in one place, `admit_commit`; and a voter set is in force once it is in the log, not
once it is committed (reconfiguration.py).
"""

import sys
from types import ModuleType
from typing import NoReturn


def _no_encryption(password: object) -> NoReturn:
    raise NotImplementedError("the quorum's links are secured by net/security, not by pysyncobj")


def _without_encryptor() -> None:
    """Keep pysyncobj from importing cryptography, if installed: that takes a tenth of a second of
    each start, and the quorum does not use it."""
    stand_in = ModuleType("pysyncobj.encryptor")
    stand_in.__dict__.update(HAS_CRYPTO=False, getEncryptor=_no_encryption)
    sys.modules.setdefault(stand_in.__name__, stand_in)


_without_encryptor()
