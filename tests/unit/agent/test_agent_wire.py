"""The transport below the official client, against servers that answer byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from orion_agent.transport import WireTransport

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts connections; `script` answers each request."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.hung_up = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        self.connections += 1
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                await reader.readexactly(length)
                await self.script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.hung_up.set()
            writer.close()


@asynccontextmanager
async def served(script: Script) -> AsyncGenerator[tuple[httpx.AsyncClient, Server]]:
    """A client with our transport in front of a scripted server."""
    server = Server(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    timeout = httpx.Timeout(2.0, read=None)
    async with httpx.AsyncClient(
        transport=WireTransport(), base_url=f"http://127.0.0.1:{port}", timeout=timeout
    ) as client:
        yield client, server
    for writer in server.writers:
        writer.close()
    listening.close()
    async with asyncio.timeout(2):
        await listening.wait_closed()


def says(*parts: bytes) -> Script:
    """Write these parts, each on its own."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return script


async def lines(client: httpx.AsyncClient, **more: Any) -> list[str]:
    """The lines of one streamed answer."""
    async with client.stream("POST", "/api/chat", json={"model": "m"}, **more) as answer:
        answer.raise_for_status()
        return [line async for line in answer.aiter_lines()]


async def test_streams_and_keeps_the_connection() -> None:
    """Chunks come out as lines, and the next request uses the same connection."""
    async with served(says(CHUNKED, b"4\r\none\n\r\n", b"4\r\ntwo\n\r\n0\r\n\r\n")) as (client, s):
        assert await lines(client) == ["one", "two"]
        assert await lines(client) == ["one", "two"]
        assert s.connections == 1


async def test_an_answer_in_one_piece() -> None:
    """A body with a length, with its status."""
    answer = b'HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\n{"error":"x"}'
    async with served(says(answer)) as (client, _):
        got = await client.post("/api/show", json={})
        assert (got.status_code, got.json()) == (404, {"error": "x"})


async def test_an_answer_without_length_ends_with_its_connection() -> None:
    """The connection's end is the answer's end, and it is not used again."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\nall\n")
        writer.close()

    async with served(script) as (client, s):
        assert await lines(client) == ["all"]
        assert await lines(client) == ["all"]
        assert s.connections == 2


@pytest.mark.parametrize("before", [b"", CHUNKED + b"4\r\none\n\r\n", HEAD])
async def test_a_hang_up_is_an_error(before: bytes) -> None:
    """Wherever the connection is cut before the answer's end."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        writer.close()

    async with served(script) as (client, _):
        with pytest.raises(httpx.RemoteProtocolError, match="hung up"):
            await lines(client)


async def test_garbage_is_an_error() -> None:
    """What is no HTTP is no answer."""
    async with served(says(b"SSH-2.0-OpenSSH\r\n\r\n")) as (client, _):
        with pytest.raises(httpx.RemoteProtocolError):
            await lines(client)


async def test_nobody_listens() -> None:
    """A refused connection says so: no work began."""
    async with httpx.AsyncClient(transport=WireTransport()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:9/")


async def test_leaving_early_hangs_up() -> None:
    """A reader that leaves in mid-answer closes the connection: Ollama frees the board."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"4\r\none\n\r\n")
        await reader.read()

    async with served(script) as (client, s):
        async with client.stream("POST", "/", json={}) as answer:
            async for _ in answer.aiter_lines():
                break
        async with asyncio.timeout(2):
            await s.hung_up.wait()


async def test_cancelling_hangs_up() -> None:
    """Also while nothing has come yet."""
    asked = asyncio.Event()

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()

    async with served(script) as (client, s):
        task = asyncio.create_task(lines(client))
        async with asyncio.timeout(2):
            await asked.wait()
            task.cancel()
            await s.hung_up.wait()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_silence_has_a_limit_where_one_is_set() -> None:
    """The read timeout is httpx's own error."""

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(script) as (client, _):
        with pytest.raises(httpx.ReadTimeout):
            await lines(client, timeout=httpx.Timeout(2.0, read=0.01))


async def test_a_dead_idle_connection_is_not_used() -> None:
    """The server closed it in the meantime: the next request opens another one."""
    async with served(says(CHUNKED, b"0\r\n\r\n")) as (client, s):
        assert await lines(client) == []
        s.writers[0].close()
        await s.writers[0].wait_closed()
        assert await lines(client) == []
        assert s.connections == 2


async def test_a_large_answer_arrives_whole() -> None:
    """More than is held at once: reading pauses and goes on."""
    size = 8 * 1024 * 1024
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    async with served(says(answer)) as (client, _):
        got = await client.post("/", json={})
        assert len(got.content) == size
