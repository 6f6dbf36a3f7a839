"""What `python -m benchmarks.group_members` is made of: member programs, chaos and checkers."""
