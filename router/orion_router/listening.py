"""The ports that the router listens on, taken before anything else begins."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

BACKLOG = 1024


@contextmanager
def listening(host: str, port: int) -> Generator[list[socket.socket]]:
    """A listening socket for each address of `host`. Raises OSError with a remedy."""
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise OSError(f"--http-host {host}: {error.strerror}") from error
    with ExitStack() as sockets:
        try:
            opened = [
                sockets.enter_context(socket.create_server(at[:2], family=family, backlog=BACKLOG))
                for family, at in dict.fromkeys((family, at) for family, _, _, _, at in found)
            ]
        except OSError as error:
            raise _cannot("--http-port", host, port, error) from error
        yield opened


def cannot_serve_metrics(host: str, port: int, error: OSError) -> OSError:
    """The same words for the other port."""
    return _cannot("--metrics-port", host, port, error)


def _cannot(flag: str, host: str, port: int, error: OSError) -> OSError:
    why = os.strerror(error.errno or 0)
    return OSError(
        f"port {port} of {host}: {why}; end what listens there, or choose another by {flag}"
    )
