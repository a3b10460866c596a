"""The shared connection to the store, against a scripted one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import hiredis
import pytest
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import NoPermissionError, ResponseError
from redis.exceptions import TimeoutError as StoreTimeoutError

from orion_contracts.hotline import Hotline, Line
from orion_contracts.store import connect
from orion_contracts.streams import read_group, read_streams

Answer = Callable[[list[bytes], asyncio.StreamWriter], Awaitable[None]]


class Script:
    """A store that answers each command by `answer`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.commands: list[list[bytes]] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        self.connections += 1
        self.writers.append(writer)
        parser = hiredis.Reader()
        try:
            while data := await reader.read(65536):
                parser.feed(data)
                while (command := parser.gets()) is not False:
                    self.commands.append(command)
                    await self.answer(command, writer)
        except ConnectionError:
            pass
        finally:
            self.closed.set()
            writer.close()


@asynccontextmanager
async def scripted(
    answer: Answer, password: str = "", retries: int = 3
) -> AsyncGenerator[tuple[Hotline, Script]]:
    """A client of a scripted store."""
    script = Script(answer)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = connect(f"127.0.0.1:{port}", password, retries=retries)
    yield store, script
    await store.aclose()
    for writer in script.writers:
        writer.close()
    server.close()
    async with asyncio.timeout(2):
        await server.wait_closed()


async def echo(command: list[bytes], writer: asyncio.StreamWriter) -> None:
    """Say the last argument."""
    said = command[-1]
    writer.write(b"$%d\r\n%b\r\n" % (len(said), said))


async def silence(_: list[bytes], __: asyncio.StreamWriter) -> None:
    """Say nothing."""


async def test_calls_share_a_connection_and_get_their_own_answers() -> None:
    """Many at once, each its own answer, one connection."""
    async with scripted(echo) as (store, script):
        answers = await asyncio.gather(*(store.call("ECHO", str(i)) for i in range(100)))
        assert answers == [str(i).encode() for i in range(100)]
        assert script.connections == 1


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"-ERR no\r\n", ResponseError),
        (b"-NOPERM no\r\n", NoPermissionError),
        (b"-NOGROUP no\r\n", ResponseError),
    ],
)
async def test_errors_are_redis_own(said: bytes, error: type[Exception]) -> None:
    """The store's errors arrive as redis-py's, and the connection goes on."""

    async def answer(command: list[bytes], writer: asyncio.StreamWriter) -> None:
        writer.write(said if command[0] == b"BAD" else b"+OK\r\n")

    async with scripted(answer) as (store, script):
        with pytest.raises(error):
            await store.call("BAD")
        assert await store.call("GOOD") == b"OK"
        assert script.connections == 1


async def test_says_who_it_is_first() -> None:
    """The password comes before everything else; the rest of redis-py still works."""

    async def answer(command: list[bytes], writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK\r\n")

    async with scripted(answer, password="s3cret") as (store, script):
        await store.call("SET", "a", 1)
        assert script.commands == [[b"AUTH", b"s3cret"], [b"SET", b"a", b"1"]]


async def test_a_lost_connection_is_made_again() -> None:
    """What was asked is asked again: every call of ours is safe to repeat."""

    async def answer(command: list[bytes], writer: asyncio.StreamWriter) -> None:
        if len(script.commands) == 1:
            writer.close()
        else:
            writer.write(b":7\r\n")

    async with scripted(answer) as (store, script):
        assert await store.call("INCR", "a") == 7
        assert (len(script.commands), script.connections) == (2, 2)


async def test_without_retries_the_loss_is_told() -> None:
    """A client that was told not to retry does not."""

    async def answer(_: list[bytes], writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with scripted(answer, retries=0) as (store, script):
        with pytest.raises(StoreConnectionError):
            await store.call("INCR", "a")
        assert script.connections == 1


async def test_nobody_listens() -> None:
    """A refused connection is redis-py's error, too."""
    store = connect("127.0.0.1:9", retries=0)
    with pytest.raises(StoreConnectionError):
        await store.call("PING")
    await store.aclose()


async def test_a_silent_store_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the socket's timeout everybody who waits is told."""
    monkeypatch.setattr("orion_contracts.store.SOCKET_TIMEOUT_S", 0.05)
    async with scripted(silence, retries=0) as (store, _):
        results = await asyncio.gather(
            *(store.call("PING") for _ in range(3)), return_exceptions=True
        )
        assert [type(r) for r in results] == [StoreTimeoutError] * 3


async def test_a_cancelled_caller_disturbs_nobody() -> None:
    """Its answer is dropped, and the next caller does not get it."""
    asked = asyncio.Event()
    go = asyncio.Event()

    async def answer(command: list[bytes], writer: asyncio.StreamWriter) -> None:
        asked.set()
        await go.wait()
        await echo(command, writer)

    async with scripted(answer) as (store, script):
        async with asyncio.timeout(2):
            first = asyncio.create_task(store.call("ECHO", "first"))
            await asked.wait()
            first.cancel()
            second = asyncio.create_task(store.call("ECHO", "second"))
            go.set()
            assert await second == b"second"
        assert (first.cancelled(), script.connections) == (True, 1)


async def test_a_cancelled_blocking_read_closes_its_connection() -> None:
    """Otherwise the next answer would come after the block."""

    reading = asyncio.Event()

    async def answer(command: list[bytes], writer: asyncio.StreamWriter) -> None:
        if command[0] == b"PING":
            writer.write(b"+PONG\r\n")
        else:
            reading.set()

    async with scripted(answer) as (store, script):
        async with asyncio.timeout(2):
            await store.call("PING")
            reader = asyncio.create_task(read_streams(store, {"s": "0-0"}, 10, 1000))
            await reading.wait()
            reader.cancel()
            await script.closed.wait()
            assert await store.call("PING") == b"PONG"
        assert script.connections == 2


async def test_streams_are_read_as_fields() -> None:
    """Entries as ids and fields; one that was deleted while pending has none."""

    async def answer(command: list[bytes], writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n"
            b"*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n2-0\r\n*-1\r\n"
        )

    entries: list[Any] = [(b"1-0", {b"a": b"b"}), (b"2-0", None)]
    async with scripted(answer) as (store, _):
        assert await read_streams(store, {"s": "0-0"}, 10, 1000) == [(b"s", entries)]
        assert await read_group(store, "g", "me", "s", ">", 10, None) == entries


async def test_nothing_new_is_an_empty_list() -> None:
    """A block that ends without an entry."""

    async def answer(command: list[bytes], writer: asyncio.StreamWriter) -> None:
        writer.write(b"*-1\r\n")

    async with scripted(answer) as (store, _):
        assert await read_streams(store, {"s": "0-0"}, 10, 1000) == []
        assert await read_group(store, "g", "me", "s", ">", 10, 1000) == []


@pytest.mark.parametrize("scheme", ["redis", "rediss", "unix"])
async def test_a_transport_that_has_just_closed_is_a_lost_connection(scheme: str) -> None:
    """uvloop says RuntimeError there; redis-py would let it end the process."""

    class Closed(asyncio.StreamWriter):
        def __init__(self) -> None: ...
        def __del__(self) -> None: ...
        def writelines(self, data: Any) -> None:
            raise RuntimeError("unable to perform operation; the handler is closed")

        def close(self) -> None: ...

    store = connect(f"{scheme}://localhost/0")
    pool: Any = store.connection_pool
    connection = pool.make_connection()
    connection._writer, connection._reader = Closed(), asyncio.StreamReader()
    with pytest.raises(StoreConnectionError, match="handler is closed"):
        await connection.send_command("PING")
    assert not connection.is_connected
    await store.aclose()


async def test_a_line_that_has_just_closed_is_a_lost_connection() -> None:
    """The same on the shared connection, which closes: the next call opens another."""

    class Closed(asyncio.Transport):
        aborted = False

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return sock if name == "socket" else default

        def is_closing(self) -> bool:
            return False

        def write(self, data: Any) -> None:
            raise RuntimeError("unable to perform operation; the handler is closed")

        def abort(self) -> None:
            self.aborted = True

    line, transport = Line(5.0), Closed()
    with socket.socket() as sock:
        line.connection_made(transport)
    assert line.open
    with pytest.raises(StoreConnectionError, match="handler is closed"):
        line.ask(b"PING")
    assert not line.open
    assert transport.aborted
