"""One connection to Ollama: HTTP/1.1 in plain text, parsed in C."""

from __future__ import annotations

import asyncio
import select
from collections import deque
from typing import Final, cast

import httptools
import httpx

KEEP_S: Final = 5.0
"""An idle connection older than this is not used again."""
PAUSE_BYTES: Final = 1024 * 1024


class Wire(asyncio.Protocol):
    """One connection. The parser calls the `on_` methods."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._parts: deque[bytes] = deque()
        self._held = 0
        self.idle_since_s = 0.0
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_head = self.complete = self.lasting = False
        self._silent = True
        self._error: Exception | None = None

    # --- the connection ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop sets TCP_NODELAY itself."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer."""
        self._silent = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(httpx.RemoteProtocolError(str(error)))
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end: of an answer without a length this is how it ends."""
        self._transport = None
        if exc is not None:
            self._fail(httpx.ReadError(str(exc)))
        elif self.has_head and not self._has_length():
            self.complete = True
        elif not self.complete:
            told = "without sending a response" if self._silent else "in mid-answer"
            self._fail(httpx.RemoteProtocolError(f"the server hung up {told}"))
        self._wake()

    def usable(self, now_s: float) -> bool:
        """Whether another request may go here: young, open, and the other side silent."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._error is not None or now_s - self.idle_since_s > KEEP_S:
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)  # readable without a question: a hang-up

    def send(self, data: bytes) -> None:
        """Begin a new exchange."""
        self._reset()
        if self._transport is None:
            raise httpx.WriteError("the connection is closed")
        self._transport.write(data)

    def close(self) -> None:
        """Hang up at once: Ollama ends what it does for this connection."""
        if self._transport is not None:
            self._transport.abort()

    # --- the parser ----------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        self.has_head = True

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._parts.append(body)
        self._held += len(body)
        if self._held > PAUSE_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self.complete = True
        self.lasting = self._parser.should_keep_alive()

    @property
    def status(self) -> int:
        """The answer's status."""
        return self._parser.get_status_code()

    # --- the reader ----------------------------------------------------------------------------

    async def head(self) -> None:
        """Wait for the head. Raises httpx.TransportError."""
        while not self.has_head:
            await self._wait()

    async def part(self) -> bytes:
        """The next part of the body; empty at its end. Raises httpx.TransportError."""
        while not self._parts:
            if self.complete:
                return b""
            await self._wait()
        body = self._parts.popleft() if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        if self._held > PAUSE_BYTES and self._transport is not None:
            self._transport.resume_reading()
        self._held = 0
        return body

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self.lasting = False

    def _has_length(self) -> bool:
        return any(n.lower() in (b"content-length", b"transfer-encoding") for n, _ in self.headers)
