"""What the active controller decides, one file per subject.

Every decision is a function of an image (and of what is asked, and of dice where chance matters)
that returns the records to commit and the answer to give: `Result(records, response)`. Nothing
here waits, remembers or changes anything; the records take effect when they are committed and
replayed, on every node alike.
"""
