"""Quotas: what clients may use of a node, and how long one that uses more has to wait.

rates.py measures as Kafka's metrics do; limits.py finds the quota that holds for a client;
client_rates.py puts the two together for one kind of quota, mutations.py for changes of the
metadata, connections.py for new connections. All of these are pure: the caller says what time it
is. service.py follows the metadata, and meter.py is what the dispatcher asks.

A node for whose clients there is no quota does none of this: the dispatcher looks at one flag.
"""
