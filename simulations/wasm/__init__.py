"""The simulator without an operating system: in Python for WebAssembly (Pyodide), which browsers
and Node run.

    from raftka.simulations.wasm import stand_ins
    stand_ins.take_their_places()   # Before anything imports trio, pysyncobj or crc32c.

A simulated run uses no real socket, file, signal or thread. The modules that such a Python lacks
are needed only while libraries are imported, or have an equivalent in pure Python. Each stand-in is
used only where the real module is missing, and gives a run the same trace hash: `hashes.py`
compares the two Pythons, and a test removes the real modules under CPython.

`operating.py`, for trio and pysyncobj:
- select.epoll, and the platform's name "linux". `import trio` fails without an I/O manager that it
  knows (trio issue 3311); the simulator's loop (machines/determinism.py) never polls it.
- socket.socketpair and signal.set_wakeup_fd. trio uses them to wake itself on a signal; there are
  no signals here.
- os.pidfd_open. trio looks for it; a simulation starts no process.
- time.clock_gettime. pysyncobj asks for its raw monotonic clock on import; kraft/raft/seams.py then
  puts the quorum's own clock in its place.

`checksums.py`, for the package crc32c, which has no wheel: the same checksums from a table.

`patterns.py`, for google-re2, which has no wheel: `re`. RE2 bounds the time of untrusted patterns;
the only clients here are the run's own.

`passwords.py`, for hashlib.pbkdf2_hmac, which needs OpenSSL: the same key, slower. Clusters that
require a login derive their users' keys with it.

Nothing stands in for lupa (model/record_walk.py walks in Python where it is missing), nor for
fcntl, resource or mmap, which only the real disk and real processes import.
"""
