"""The metadata by subject: each file is one section of the image, of a delta and of a snapshot.

To add one: write its file with a class derived from `Section`, name its fields in
`kraft.image.MetadataImage`, and make it in `kraft.delta.MetadataDelta`. Snapshots, slices of a
delta, what a loaded snapshot took away, and `raftka metadata` follow by themselves;
tests/kraft/test_sections.py asks for an example of it.
"""
