"""Reports a node's state to its service manager: systemd's sd_notify(3).

It sends a datagram to the socket that NOTIFY_SOCKET names, if it is set.
"""

from __future__ import annotations

import os
import socket

from raftka.model.logs import get_logger

log = get_logger(__name__)


def notify(*lines: str) -> None:
    """Report a change of state, such as READY=1 or STOPPING=1."""
    where = os.environ.get("NOTIFY_SOCKET")
    if not where:
        return
    # A leading @ stands for the zero byte of a name in Linux' abstract namespace.
    address = "\0" + where[1:] if where.startswith("@") else where
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.sendto("\n".join(lines).encode(), address)
    except OSError as error:
        log.warning(f"the service manager at {where} cannot be notified: {error}")
