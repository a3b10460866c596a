"""The transport below the official client.

httpx lets its transport be replaced. Its own one (httpcore, h11, anyio) took two thirds of the CPU
time of a streamed answer; everything above it, the official client included, stays.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import httpx

from orion_agent.wire import Wire

KEEP_MOST: Final = 8


class Body(httpx.AsyncByteStream):
    """The body of one answer; closing it early hangs up."""

    def __init__(self, wire: Wire, idle: deque[Wire], read_s: float | None) -> None:
        self._wire, self._idle, self._read_s = wire, idle, read_s
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The parts as they come."""
        wire, read_s = self._wire, self._read_s
        while True:
            part = await wire.part() if read_s is None else await _within(wire.part(), read_s)
            if not part:
                return
            yield part

    async def aclose(self) -> None:
        """Keep the connection where the answer was read to its end."""
        if not self._open:
            return
        self._open = False
        wire = self._wire
        if wire.complete and wire.lasting and len(self._idle) < KEEP_MOST:
            wire.idle_since_s = time.monotonic()
            self._idle.append(wire)
        else:
            wire.close()


class WireTransport(httpx.AsyncBaseTransport):
    """Plain HTTP to one host, bodies of known length. Of the timeouts, `connect` and `read` count:
    there is no pool to wait for, and who does not read what we write is silent, too."""

    def __init__(self) -> None:
        self._idle: deque[Wire] = deque()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange. Raises httpx.TransportError."""
        timeouts = cast(dict[str, float | None], request.extensions.get("timeout", {}))
        read_s = timeouts.get("read")
        body = await request.aread()
        lines = [b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.url.raw_path)]
        lines += [b"%b: %b\r\n" % pair for pair in request.headers.raw]
        wire = await self._connection(request.url, timeouts.get("connect"))
        try:
            wire.send(b"".join((*lines, b"\r\n", body)))
            await (wire.head() if read_s is None else _within(wire.head(), read_s))
        except BaseException:
            wire.close()
            raise
        return httpx.Response(
            wire.status, headers=wire.headers, stream=Body(wire, self._idle, read_s)
        )

    async def _connection(self, url: httpx.URL, connect_s: float | None) -> Wire:
        now_s = time.monotonic()
        while self._idle:
            wire = self._idle.pop()
            if wire.usable(now_s):
                return wire
            wire.close()
        try:
            async with asyncio.timeout(connect_s):
                connecting: Any = asyncio.get_running_loop().create_connection(
                    Wire, url.host, url.port or 80
                )
                _, wire = await connecting
        except TimeoutError:
            raise httpx.ConnectTimeout(f"no connection within {connect_s} s") from None
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return cast(Wire, wire)

    async def aclose(self) -> None:
        """Hang up everywhere."""
        while self._idle:
            self._idle.pop().close()


async def _within(what: Any, seconds: float) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await what
    except TimeoutError:
        raise httpx.ReadTimeout(f"nothing within {seconds} s") from None
