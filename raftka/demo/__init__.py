"""The demo: a cluster that loses its leaders, and no record."""
