"""The simulator where there is no operating system: Python in WebAssembly (Pyodide), as a page
and Node run it.

    from raftka.simulations.wasm import stand_ins
    stand_ins.take_their_places()   # Before anything imports trio, pysyncobj or crc32c.

A simulated run uses no real socket, file, signal or thread, so what such a Python lacks is needed
only while libraries are imported, or has an equal in Python. Each stand-in takes its place only
where the real thing is missing, and a run has the same trace hash with it as without: `hashes.py`
compares the two Pythons, and a test takes the real things away under CPython.

`operating.py`, for trio and pysyncobj:
- select.epoll, and the platform's name "linux". `import trio` fails without an I/O manager that it
  knows (trio issue 3311); the simulator's loop (machines/determinism.py) never polls it.
- socket.socketpair and signal.set_wakeup_fd. trio wakes itself up by them when a signal comes;
  here are no signals.
- os.pidfd_open. trio looks for it; a simulation starts no process.
- time.clock_gettime. pysyncobj asks for its raw monotonic clock on import; kraft/raft/seams.py then
  puts the quorum's own clock in its place.

`checksums.py`, for the package crc32c, which has no wheel: the same numbers from a table.

`patterns.py`, for google-re2, which has no wheel: `re`. RE2 bounds the time of strangers' patterns;
the only clients here are the run's own.

`passwords.py`, for hashlib.pbkdf2_hmac, which needs OpenSSL: the same key, slower. Clusters that
ask for a login derive their users' keys by it.

Nothing stands in for lupa (model/record_walk.py walks in Python where it is missing), nor for
fcntl, resource or mmap, which only the real disk and real processes import.
"""
