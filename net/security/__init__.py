"""TLS and SASL: how the two sides of a connection know each other.

- `scram`, `plain`: pure; who says what in a mechanism.
- `authentication`: the server's side of one connection, from nothing to a principal.
- `dialing`: the client's side, as a network whose connections are secured when they are handed out.
- `tls`: a stream over the connection port, whatever is behind it.

Nothing here is imported by a node that has no listener which asks for it.
"""
