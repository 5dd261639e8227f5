"""Ports for servers of this machine's own."""

from __future__ import annotations

import random
import socket

#: Below the ports that systems give to outgoing connections (Linux from 32768, others from 49152): one of those may be
#: taken between the choice and the server's start, and a client that waits for the server may even meet itself there.
_PORTS = range(20_000, 32_768)
_TRIES = 100


def free_port() -> int:
    """A port of the loopback address on which nobody listens. Raises OSError if there seems to be none."""
    for port in random.sample(_PORTS, _TRIES):
        if _is_free(port):
            return port
    raise OSError(f"No free port found from {_PORTS.start} to {_PORTS.stop - 1}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
