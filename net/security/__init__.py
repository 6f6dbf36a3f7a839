"""TLS and SASL: how the two sides of a connection authenticate each other.

- `scram`, `plain`: pure; the messages of a mechanism.
- `authentication`: the server's side of one connection, from nothing to a principal.
- `dialing`: the client's side, as a network that returns secured connections.
- `tls`: a stream over any connection port.

A node without a listener that uses them imports none of these modules.
"""
