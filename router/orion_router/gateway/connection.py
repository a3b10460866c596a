"""One HTTP connection: uvicorn's, with bounds on what it may send and how long it may take."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from orion_router.gateway.lobby import Lobby, Reason

LINGER_S: Final = 1.0
"""What still comes is thrown away for so long: closed at once, the answer might not arrive."""


class TooMuch(Exception):
    """More than one request may bring, or one connection may send ahead."""


class Connection(HttpToolsProtocol):
    """The parser bounds nothing, and puts a long header together in quadratic time. So bytes are
    counted before they are parsed, once for each read: a request in one piece pays nothing more."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        lobby: Lobby,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._lobby = lobby
        self._bounds = lobby.bounds
        self._bare = 0  # bytes since the last complete head or piece of a body
        self._moved = False
        self._refused = False
        self.in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Its time begins to run."""
        super().connection_made(transport)
        self._lobby.arrive(self, self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        """It takes no room any more."""
        self._lobby.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse no more than may still belong to a head."""
        while data and not self._refused and not self.transport.is_closing():
            if self not in self._lobby and not self._answering:
                self._lobby.arrive(self, self.loop.time())
            room = self._bounds.head_bytes - self._bare
            part, data = (data, b"") if len(data) <= room else (data[:room], data[room:])
            self._moved = False
            super().data_received(part)
            if self._refused:
                return
            if self._moved:
                self._bare = 0
                continue
            self._bare += len(part)
            if self._bare >= self._bounds.head_bytes or len(self.headers or ()) > self._most:
                self._refuse_head()
            elif not self.in_body:
                self._lobby.hold(self, len(part))

    @property
    def _most(self) -> int:
        return self._bounds.headers

    @property
    def _answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def on_headers_complete(self) -> None:
        """The request goes to the application, unless too many do."""
        if len(self.headers) > self._most:
            self._refuse_head()
            raise TooMuch
        if len(self.pipeline) >= self._bounds.pipelined:
            raise TooMuch
        self._moved = self.in_body = True
        self._lobby.read(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._moved, self.in_body = True, False
        self._lobby.ask(self)
        super().on_message_complete()
        if not self._answering and not self.transport.is_closing():  # answered before its end
            self._keep()

    def on_response_complete(self) -> None:
        """Idle from now on, unless another request has come ahead."""
        super().on_response_complete()
        if not self._answering and not self.in_body and not self.transport.is_closing():
            self._lobby.rest(self)

    def _keep(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        self._lobby.rest(self)

    def dismiss(self, reason: Reason) -> None:
        """See Guest."""
        if self._bare == 0:  # nothing was asked: nothing to be answered
            self.transport.close()
        elif reason == "late":
            self._refuse(408, f"the headers did not arrive within {self._bounds.head_s:.0f} s")
        else:
            self._refuse(503, "too many connections whose request is not complete; ask again")

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: a server may pass over an Upgrade and answer in the protocol that it speaks.
        uvicorn would ask for packages to be installed, once for each such request."""

    def send_400_response(self, msg: str) -> None:
        """As uvicorn's; never into the middle of another answer."""
        if not self._refused:
            self._refuse(400, msg)

    def _refuse_head(self) -> None:
        most, lines = self._bounds.head_bytes, self._most
        self._refuse(431, f"more than {most} bytes or {lines} lines of request line and headers")

    def _refuse(self, status: int, text: str) -> None:
        self._refused = True
        self._lobby.leave(self)
        if self._answering:
            self.transport.close()
            return
        body = orjson.dumps({"error": text})
        self.transport.write(
            b"%bcontent-type: application/json; charset=utf-8\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (STATUS_LINE[status], len(body), body)
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)
