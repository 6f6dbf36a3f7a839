"""The decisions of the active controller, one file per subject.

Every decision is a function of an image, the request, and in some cases a random source; it returns
the records to commit and the response: `Result(records, response)`. Nothing here waits or has
state; the records take effect when they are committed and replayed, on every node alike.
"""
