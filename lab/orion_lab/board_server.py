"""Serving boards on loopback: sockets, HTTP servers, the passing of time, sensor files."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from orion_lab.board import Board
from orion_lab.board_app import board_app
from orion_lab.sensors import SensorFiles

TICK_S: Final = 0.5
# Ollama never closes an idle connection; a client's pool may rely on it.
_KEEP_CONNECTION_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Seat:
    """A board and the socket it listens on."""

    board: Board
    listener: socket.socket

    @property
    def port(self) -> int:
        """The port it got."""
        port: int = self.listener.getsockname()[1]
        return port


def listen(port: int) -> socket.socket:
    """A listening socket on loopback; port 0 takes any free one.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(2048)
    return listener


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals belong to the process: several servers share it."""
        yield


async def serve(
    seats: Sequence[Seat], root: Path | None, stop: asyncio.Event, ready: asyncio.Event
) -> None:
    """Serve until `stop` is set. Streams in flight are then cut, as Ollama cuts them."""
    servers = [_server(seat) for seat in seats]
    sensors = [
        (seat.board, SensorFiles(root / seat.board.settings.name, seat.board.spec))
        for seat in seats
        if root is not None
    ]
    await asyncio.to_thread(_write, sensors)
    async with asyncio.TaskGroup() as group:
        for server, seat in zip(servers, seats, strict=True):
            group.create_task(server.serve(sockets=[seat.listener]), name=seat.board.settings.name)
        clock = group.create_task(_pass_time([seat.board for seat in seats], sensors), name="time")
        for server in servers:
            await server.listening.wait()
        ready.set()
        await stop.wait()
        clock.cancel()
        for server in servers:
            server.should_exit = True


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT end the process in order."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _server(seat: Seat) -> _Server:
    config = uvicorn.Config(
        board_app(seat.board),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        ws="none",
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_CONNECTION_S,
        timeout_graceful_shutdown=0,
    )
    return _Server(config)


async def _pass_time(boards: Sequence[Board], sensors: list[tuple[Board, SensorFiles]]) -> None:
    loop = asyncio.get_running_loop()
    last_s = loop.time()
    while True:
        await asyncio.sleep(TICK_S)
        now_s = loop.time()
        for board in boards:
            board.advance(now_s - last_s)
        last_s = now_s
        await asyncio.to_thread(_write, sensors)


def _write(sensors: list[tuple[Board, SensorFiles]]) -> None:
    for board, files in sensors:
        seen = board.reading()
        files.write(seen.temperature_c, seen.used_bytes, seen.cached_bytes, seen.load_average)
