"""`raftka elections`: which leaders were elected, when, why, and how long there was none."""
