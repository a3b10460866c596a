"""Connections that never finish asking, at the router's own HTTP server on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio
import httpx
import pytest

from orion_router import serve
from orion_router.gateway import create_app
from orion_router.gateway.lobby import Bounds, Lobby
from orion_router.settings import Settings
from unit.gateway.gateway_harness import CHAT, FakeDesk, FakeVitals

SETTINGS = Settings.read(["--http-port", "0", "--http-host", "127.0.0.1"], {})
GET = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
MIB = 1024 * 1024


class Line:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """May find that the other side has closed."""
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def rest(self) -> bytes:
        """What it says until it closes."""
        async with asyncio.timeout(8):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    async def close(self) -> None:
        """At once, whatever was not sent."""
        self.writer.transport.abort()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def status(self) -> int:
        """Of one answer, which is read to its end."""
        async with asyncio.timeout(8):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            await self.reader.readexactly(length)
            return int(head.split()[1])


class Served:
    """A server, its lobby and its port."""

    def __init__(self, lobby: Lobby, port: int, lines: AsyncExitStack) -> None:
        self.lobby, self.port, self._lines = lobby, port, lines
        self.url = f"http://127.0.0.1:{port}"

    async def connect(self) -> Line:
        """A connection that is closed with the server."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        line = Line(reader, writer)
        self._lines.push_async_callback(line.close)
        return line

    async def livez(self) -> int:
        """The status of another client's look."""
        async with httpx.AsyncClient(trust_env=False, timeout=4) as http:
            return (await http.get(self.url + "/livez")).status_code

    async def until(self, *counts: int) -> None:
        """Wait until so many are arriving, idle, and so many bytes are held."""
        async with asyncio.timeout(8):
            while self.lobby.counts[: len(counts)] != counts:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def served(
    bounds: Bounds | None = None, desk: FakeDesk | None = None
) -> AsyncGenerator[Served]:
    """The router's server in front of a fake desk."""
    lobby = Lobby(bounds)
    app = create_app(desk or FakeDesk(), FakeVitals(), "0.1.0")
    server = serve._http_server(SETTINGS, app, lobby)  # pyright: ignore[reportPrivateUsage]
    running = asyncio.create_task(server.serve(), name="server")
    try:
        with anyio.fail_after(10):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await anyio.sleep(0.01)
        async with AsyncExitStack() as lines:
            yield Served(lobby, server.servers[0].sockets[0].getsockname()[1], lines)
    finally:
        server.force_exit = server.should_exit = True
        await running


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        pytest.param(b"GET /", b"a" * MIB, id="request line"),
        pytest.param(b"GET / HTTP/1.1\r\nx: ", b"a" * MIB, id="one header"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"x: " + b"a" * 50_000 + b"\r\n", id="long headers"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"a:b\r\n" * 100, id="many headers"),
        pytest.param(b"\r\n", b"\r\n" * 50_000, id="empty lines"),
        pytest.param(
            b"POST /api/chat HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n",
            b"x: " + b"a" * 50_000 + b"\r\n",
            id="trailers",
        ),
        pytest.param(GET + b"GET /", b"a" * MIB, id="the second request"),
    ],
)
async def test_a_head_without_an_end_is_refused_early(begin: bytes, more: bytes) -> None:
    """It is told so or cut off after a bounded number of bytes, and is no longer counted."""
    async with served() as server:
        line = await server.connect()
        await line.send(begin)
        for _ in range(20):
            await line.send(more)
        said = await line.rest()

        assert not said or b"HTTP/1.1 431 " in said or begin.startswith(b"POST")
        await server.until(0, 0, 0)
        assert await server.livez() == 200


async def test_the_refusal_is_a_431_that_says_why() -> None:
    """Also when all of it came in one piece with its end."""
    for head in (b"x: " + b"a" * 70_000, b"\r\n".join([b"a: b"] * 300)):
        async with served() as server:
            line = await server.connect()
            await line.send(b"GET /livez HTTP/1.1\r\n" + head + b"\r\n\r\n")
            said = await line.rest()

            assert said.startswith(b"HTTP/1.1 431 ")
            assert b"connection: close" in said
            assert b"65536 bytes or 256 lines" in said


async def test_large_heads_within_the_bound_and_large_bodies_pass() -> None:
    """60 KB of header; a body of 2 MB in whatever pieces it comes."""
    async with served() as server:
        line = await server.connect()
        await line.send(b"GET /livez HTTP/1.1\r\nx: " + b"a" * 60_000 + b"\r\n\r\n")
        assert await line.status() == 200
        async with httpx.AsyncClient(trust_env=False) as http:
            body = {**CHAT, "stream": False, "junk": "x" * 2 * MIB}
            assert (await http.post(server.url + "/api/chat", json=body)).status_code == 200


async def test_who_does_not_finish_asking_is_closed() -> None:
    """Silent, half a head, a byte now and then after an answer: each has its time, no more; an
    idle connection that was served stays."""
    async with served(Bounds(head_s=1)) as server:
        silent, half, served_once, again = [await server.connect() for _ in range(4)]
        await half.send(b"GET /livez HTTP/1.1\r\nhost: ")
        for line in (served_once, again):
            await line.send(GET)
            assert await line.status() == 200
        await again.send(b"G")

        assert await silent.rest() == b""
        assert (await half.rest()).startswith(b"HTTP/1.1 408 ")
        assert (await again.rest()).startswith(b"HTTP/1.1 408 ")
        await served_once.send(GET)
        assert await served_once.status() == 200
        await server.until(0, 1, 0)


async def test_a_body_that_nobody_reads_keeps_no_connection() -> None:
    """Answered before its body has come, the connection is closed when its time is up; when the
    body ends it is idle like any other."""
    async with served(Bounds(head_s=0.5, request_s=1.5)) as server:
        lines = [await server.connect() for _ in range(2)]
        for line in lines:
            await line.send(b"GET /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\na")
            assert await line.status() == 200
        await lines[0].send(b"b")
        await lines[1].send(b"bcd")
        await lines[0].rest()

        await server.until(0, 1, 0)
        await lines[1].send(GET)
        assert await lines[1].status() == 200


async def test_the_longest_waiting_gives_way() -> None:
    """Of 40 connections with half a head 30 stay; of 40 idle ones 30; a new client is served."""
    async with served(Bounds(arriving=30, idle=30)) as server:
        halves = [await server.connect() for _ in range(40)]
        for line in halves:
            await line.send(b"GET /livez HTTP/1.1\r\n")
        await server.until(30)
        assert await server.livez() == 200

        idle: list[Line] = []
        for _ in range(40):
            idle.append(await server.connect())
            await idle[-1].send(GET)
            assert await idle[-1].status() == 200
        assert server.lobby.counts[1] == 30
        assert await idle[0].rest() == b""


async def test_unfinished_heads_share_one_bound() -> None:
    """40 heads of 60 KB each where 1 MB is allowed: no more is held at any time."""
    async with served(Bounds(arriving_bytes=MIB)) as server:
        for _ in range(40):
            line = await server.connect()
            await line.send(b"GET /livez HTTP/1.1\r\nx: " + b"a" * 60_000)
            assert server.lobby.counts[2] <= MIB
        assert await server.livez() == 200


async def test_requests_sent_ahead_are_bounded() -> None:
    """A few are answered in order; thousands behind an answer that waits close the connection."""
    async with served(desk=FakeDesk([])) as server:
        line = await server.connect()
        await line.send(GET * 10)
        assert [await line.status() for _ in range(10)] == [200] * 10

        body = b'{"model": "m", "messages": []}'
        head = b"POST /api/chat HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body)
        await line.send(head + body + GET * 5000)
        assert b"HTTP/1.1 200" not in await line.rest()
        await server.until(0, 0, 0)
        assert await server.livez() == 200


async def test_a_client_that_just_goes_is_forgotten() -> None:
    """Reset in the middle of a head."""
    async with served() as server:
        line = await server.connect()
        await line.send(b"GET /livez HTTP/1.1\r\nx: abc")
        await server.until(1, 0)
        raw: socket.socket = line.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        line.writer.transport.abort()
        await server.until(0, 0, 0)


async def test_an_upgrade_is_passed_over_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """Browsers and curl offer one; what answers is plain HTTP, and no log asks for packages."""
    async with served() as server:
        for offer in (b"websocket", b"h2c"):
            line = await server.connect()
            await line.send(
                b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: "
                + offer + b"\r\n\r\n"
            )  # fmt: skip
            assert await line.status() == 200
    assert not [r for r in caplog.records if "pgrade" in r.getMessage()]
