"""The HTTP server inside the worker's own event loop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.applications import Starlette


class Server(uvicorn.Server):
    """Leaves the signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Nothing: see `Service`."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError naming the flag when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(f"--http-port: cannot listen on {host}:{port}: {error.strerror}") from error


def make(application: Starlette) -> Server:
    """A server that has not begun to serve."""
    config = uvicorn.Config(
        application,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return Server(config)
