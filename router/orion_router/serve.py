"""Runs the router's parts and its HTTP server in one loop, and ends them in order."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from socket import socket
from typing import Any, cast

import anyio
import uvicorn
from prometheus_client import start_http_server

from orion_contracts.errors import Misconfigured
from orion_contracts.telemetry import configure_logging
from orion_router.gateway import Gateway, create_app
from orion_router.gateway.connection import Connection
from orion_router.gateway.lobby import Lobby
from orion_router.listening import BACKLOG, cannot_serve_metrics, listening
from orion_router.metrics import RouterMetrics
from orion_router.parts import running
from orion_router.settings import Settings

log = logging.getLogger("orion_router")

DRAIN_S = 20
"""How long open answers may go on after SIGTERM. The work itself goes on in any case."""
LAST_S = 2
"""For the last words to those that were cut off."""
MOST_FILES = 16_384
"""For all connections that are allowed; many systems give 1,024 unless asked for more."""


def serve(settings: Settings, version: str) -> int:
    """Blocks until SIGTERM or SIGINT. 0: ended in order; 1: could not run."""
    configure_logging(settings.log_level)
    log.info("ORION Inference Router v%s starting", version)
    _allow_files()
    try:
        with listening(settings.http_host, settings.http_port) as sockets:
            return anyio.run(
                _serve, settings, version, sockets,
                backend="asyncio", backend_options={"use_uvloop": True},
            )  # fmt: skip
    except* (Misconfigured, OSError) as group:
        for error in _each(group):
            log.error("cannot start: %s", error)
    return 1


def _each(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    """The errors of a group, also of groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _each(error)
        else:
            yield error


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(settings: Settings, version: str, sockets: list[socket]) -> int:
    async with running(settings) as parts:
        app = create_app(
            parts.desk,
            parts.vitals,
            version,
            limits=settings.limits,
            most_bytes=settings.open_body_bytes,
            origins=settings.origins,
        )
        server = _http_server(settings, app)
        if settings.metrics_port:
            _serve_metrics(settings, RouterMetrics(parts))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_end_on_signal, server, name="signals")
            tasks.start_soon(app.door.farewells.run, name="farewells")
            await server.serve(sockets)
            tasks.cancel_scope.cancel()
    log.info("ended")
    return 0


def _serve_metrics(settings: Settings, metrics: RouterMetrics) -> None:
    host, port = settings.http_host, settings.metrics_port
    try:
        start_http_server(port, addr=host, registry=metrics.registry)
    except OSError as error:
        raise cannot_serve_metrics(host, port, error) from error


async def _end_on_signal(server: uvicorn.Server) -> None:
    """First signal: stop accepting, let open answers end; second: at once."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("%s: ending", signal.Signals(number).name)
            server.force_exit = server.should_exit
            server.should_exit = True


def _http_server(settings: Settings, app: Gateway, lobby: Lobby | None = None) -> uvicorn.Server:
    lobby = lobby or Lobby()
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        loop="none",
        http=cast(Any, partial(Connection, lobby=lobby)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=BACKLOG,
    )
    return _Server(config, lobby)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process has one order of ending. Closes
    connections that take too long to ask."""

    def __init__(self, config: uvicorn.Config, lobby: Lobby) -> None:
        super().__init__(config)
        self._lobby = lobby

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second."""
        if counter % 10 == 0:
            self._lobby.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to `_end_on_signal`."""
        yield

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """As in uvicorn; then cut off what is still open, and let it say so to its clients."""
        await super().shutdown(sockets)
        left = list(self.server_state.tasks)
        for task in left:
            if not task.cancelling():  # uvicorn cancels when its patience ends, not when forced
                task.cancel()
        if left:
            await asyncio.wait(left, timeout=LAST_S)
