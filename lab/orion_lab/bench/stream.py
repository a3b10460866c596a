"""A client that costs little: one keep-alive connection, one streamed POST at a time.

It looks only at what a benchmark needs: when the first byte of the body came, when the last one
came, the status, and whether the answer was whole.
"""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, field
from typing import Final, cast

_END_OF_HEAD: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


@dataclass(slots=True)
class Timing:
    """One request (seconds of the monotonic clock). `problem` is empty when all went well."""

    sent_s: float
    first_s: float = 0.0
    last_s: float = 0.0
    problem: str = ""


def request_bytes(host: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A whole POST, made once and sent many times."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


@dataclass(eq=False)
class Stream(asyncio.Protocol):
    """One connection. `ask` sends and returns when the answer's end is there."""

    whole: bytes
    """What a complete answer ends with, somewhere in its last bytes."""
    pieces: tuple[bytes, int]
    """A text, and how often it occurs in a complete answer at least."""
    _transport: asyncio.Transport | None = None
    _timing: Timing = field(default_factory=lambda: Timing(0.0))
    _done: asyncio.Future[None] | None = None
    _parts: list[bytes] = field(default_factory=list[bytes])

    @property
    def usable(self) -> bool:
        """Whether another request can be sent here."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Small writes go out at once: without this, Nagle's 40 ms would be measured."""
        self._transport = cast(asyncio.Transport, transport)
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def ask(self, request: bytes) -> Timing:
        """One request to the end of its answer."""
        assert self._transport is not None
        self._done = asyncio.get_running_loop().create_future()
        self._parts.clear()
        timing = self._timing = Timing(time.monotonic())
        self._transport.write(request)
        await self._done
        return timing

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer."""
        self._parts.append(data)
        timing = self._timing
        if not timing.first_s:
            seen = data if len(self._parts) == 1 else b"".join(self._parts)
            end = seen.find(_END_OF_HEAD)
            if end < 0 or len(seen) == end + len(_END_OF_HEAD):
                return
            timing.first_s = time.monotonic()
        tail = data if len(data) >= len(_LAST_CHUNK) else b"".join(self._parts[-2:])
        if tail.endswith(_LAST_CHUNK) or b"content-length:" in self._parts[0].lower():
            self._finish(time.monotonic())

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed."""
        self._transport = None
        if self._done is not None and not self._done.done():
            self._timing.problem = f"connection lost: {exc}"
            self._finish(time.monotonic())

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _finish(self, now_s: float) -> None:
        timing = self._timing
        timing.last_s = now_s
        answer = b"".join(self._parts)
        if not timing.problem:
            text, least = self.pieces
            if not answer.startswith(b"HTTP/1.1 200"):
                timing.problem = answer[:400].decode(errors="replace")
            elif self.whole not in answer[-2000:] or answer.count(text) < least:
                timing.problem = f"not whole: {answer[-400:].decode(errors='replace')}"
        if self._done is not None and not self._done.done():
            self._done.set_result(None)
