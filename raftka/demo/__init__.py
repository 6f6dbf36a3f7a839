"""The main job in one command: a cluster that loses its leaders, and no record."""
