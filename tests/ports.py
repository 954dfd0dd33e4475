"""Ports for the services that a run starts."""

from __future__ import annotations

import socket

HELD: list[socket.socket] = []
"""Has the ports that were given away bound until the run ends."""


def free_port() -> int:
    """A port for a service alone, on IPv4 and IPv6: until that listens, and while it is away, the system gives the port
    neither to a connection nor to another service. It can listen all the same, since services set SO_REUSEADDR and
    nobody listens here."""
    held = socket.socket(socket.AF_INET6)
    HELD.append(held)
    held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("::", 0))
    return held.getsockname()[1]
