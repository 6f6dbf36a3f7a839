"""What clients and administrators do to the cluster, drawn from the seed."""
