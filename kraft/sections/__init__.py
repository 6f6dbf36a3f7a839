"""The metadata by subject: each file has one section of images, deltas and snapshots.

To add one: write its file with a class derived from `Section`, add its fields to
`kraft.image.MetadataImage`, and create it in `kraft.delta.MetadataDelta`. Snapshots, slices of a
delta, removals by a loaded snapshot, and `raftka metadata` then work automatically;
tests/kraft/test_sections.py requires an example of it.
"""
