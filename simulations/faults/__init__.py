"""Everything that can go wrong, one file for each group; `table` has all of it by name."""
