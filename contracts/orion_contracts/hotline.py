"""A connection to the store for the calls that every request makes.

redis-py does the rest; for these it costs too much: about ten layers, a connection taken and given
back, and two wake-ups for each call. Here the calls of all tasks share one connection, each is
written at once, and its answer wakes the caller directly. Calls that reach the store together are
carried out together, so that one fsync covers them. Errors and retries are redis-py's own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import DefaultParser, SSLConnection
from redis.asyncio.retry import Retry
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as StoreTimeoutError

Argument = str | int | bytes
_hiredis: Any = hiredis  # its stubs leave this function and redis-py's counterpart untyped
pack: Callable[[tuple[Argument, ...]], bytes] = _hiredis.pack_command
_parser: Any = DefaultParser
Pending = tuple[asyncio.Future[Any], float]


class Line(asyncio.Protocol):
    """One connection: questions out, answers in the same order."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        # The same exceptions as from redis-py.
        self._reader = hiredis.Reader(replyError=_parser.parse_error)
        self._pending: deque[Pending] = deque()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Whether questions can be asked."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast(asyncio.Transport, transport)
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def ask(self, packed: bytes) -> asyncio.Future[Any]:
        """Send a command; the future brings its answer, or the error that the store gave."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._transport is None:
            raise StoreConnectionError("the connection is closed")
        try:
            self._transport.write(packed)
        except RuntimeError as error:  # uvloop's word for a transport that has just closed
            lost = StoreConnectionError(f"the connection was closed: {error}")
            self.drop(lost)
            raise lost from error
        self._pending.append((future, time.monotonic()))
        if self._watch is None:
            self._watch = loop.call_later(self._timeout_s, self._look)
        return future

    def data_received(self, data: bytes) -> None:
        """Answers."""
        self._reader.feed(data)
        try:
            while self._pending:
                reply: Any = self._reader.gets()
                if reply is False:  # incomplete; our commands have no boolean answers (RESP2)
                    return
                future, _ = self._pending.popleft()
                if future.done():  # its caller was cancelled
                    continue
                if isinstance(reply, RedisError):
                    future.set_exception(reply)
                else:
                    future.set_result(reply)
        except hiredis.ProtocolError as error:
            self.drop(StoreConnectionError(f"the store does not speak RESP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The store, or the way to it, is gone."""
        self.drop(StoreConnectionError(f"the connection to the store was lost: {exc or 'closed'}"))

    def drop(self, error: RedisError) -> None:
        """Close at once; whoever waits for an answer gets this error."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        pending, self._pending = self._pending, deque()
        for future, _ in pending:
            if not future.done():
                future.set_exception(error)

    def _look(self) -> None:
        """Is the oldest question too old?"""
        self._watch = None
        if not self._pending:
            return
        left_s = self._pending[0][1] + self._timeout_s - time.monotonic()
        if left_s <= 0:
            self.drop(StoreTimeoutError(f"the store did not answer within {self._timeout_s:g} s"))
        else:
            self._watch = asyncio.get_running_loop().call_later(left_s, self._look)


class Hotline(Redis):
    """A redis-py client with a fast way for single commands: `call`."""

    _line: Line | None = None
    _opening: asyncio.Lock | None = None

    async def call(self, *arguments: Argument, blocking: bool = False) -> Any:
        """One command, its answer as the store sends it (bytes, integers, lists).

        `blocking`: when the caller is cancelled the connection closes, because the next answer on
        it would come after the block. Raises redis' errors.
        """
        packed = pack(arguments)
        try:
            return await self._ask(packed, blocking)
        except (StoreConnectionError, StoreTimeoutError) as error:
            retry = cast(Retry, self._settings["retry"])
            if not retry.get_retries():
                raise
            first = [error]

            async def again() -> Any:
                if first:
                    raise first.pop()
                return await self._ask(packed, blocking)

            async def nothing(_: Exception) -> None:
                return None

            return await retry.call_with_retry(again, nothing)

    async def _ask(self, packed: bytes, blocking: bool) -> Any:
        line = self._line
        if line is None or not line.open:
            line = await self._connected()
        try:
            return await line.ask(packed)
        except asyncio.CancelledError:
            if blocking:
                line.drop(StoreConnectionError("the reader left"))
            raise

    @property
    def _settings(self) -> Mapping[str, Any]:
        return cast(Mapping[str, Any], self.connection_pool.connection_kwargs)

    async def _connected(self) -> Line:
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._line is not None and self._line.open:
                return self._line
            settings, loop = self._settings, asyncio.get_running_loop()
            timeout_s = settings.get("socket_timeout") or 5.0
            line = Line(timeout_s)
            try:
                async with asyncio.timeout(settings.get("socket_connect_timeout") or timeout_s):
                    if path := settings.get("path"):
                        await loop.create_unix_connection(lambda: line, path)
                    else:
                        host, port = settings.get("host", "localhost"), settings.get("port", 6379)
                        await loop.create_connection(lambda: line, host, int(port), ssl=self._tls())
                    await self._introduce(line)
            except TimeoutError:
                line.drop(StoreConnectionError("closed"))
                raise StoreTimeoutError("no connection to the store in time") from None
            except OSError as error:
                raise StoreConnectionError(f"no connection to the store: {error}") from error
            except BaseException:
                line.drop(StoreConnectionError("closed"))
                raise
            self._line = line
            return line

    def _tls(self) -> ssl.SSLContext | None:
        """What a rediss:// address asks for, as redis-py reads it from the address."""
        if not issubclass(self.connection_pool.connection_class, SSLConnection):
            return None
        connection: Any = SSLConnection(**self._settings)
        return cast(ssl.SSLContext, connection.ssl_context.get())

    async def _introduce(self, line: Line) -> None:
        settings = self._settings
        if password := settings.get("password"):
            who = (settings["username"],) if settings.get("username") else ()
            await line.ask(pack(("AUTH", *who, password)))
        if db := settings.get("db"):
            await line.ask(pack(("SELECT", db)))

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close everything."""
        if self._line is not None:
            self._line.drop(StoreConnectionError("closed"))
            self._line = None
        await super().aclose(close_connection_pool)
