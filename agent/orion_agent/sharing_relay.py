"""The registry that this board's own Ollama copies from: for loopback only, and only one ticket.

Ollama asks for the manifest, the size of each file, and where to fetch it; it follows only to
another host name, which is why it is sent from 127.0.0.1 to localhost.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from orion_agent.sharing_fetch import CopyFailed, Fetcher
from orion_agent.sharing_folder import Manifest

PREFIX = "orion-"
LOOPBACK = frozenset({"127.0.0.1", "::1"})
logger = logging.getLogger("orion.worker.sharing")


@dataclass(frozen=True)
class Ticket:
    """One copy under way."""

    manifest: Manifest
    source: Fetcher
    name: str = field(default_factory=lambda: PREFIX + secrets.token_hex(8))


class Relay:
    """The routes. `port`: of the worker's HTTP server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._ticket: Ticket | None = None

    def routes(self) -> list[BaseRoute]:
        """For the worker's HTTP server."""
        return [
            Route("/v2/{ticket}/m/manifests/{tag}", self._manifest),
            Route("/v2/{ticket}/m/blobs/{digest}", self._blob),
            Route("/relay/{ticket}/{digest}", self._part),
        ]

    @contextmanager
    def open(self, manifest: Manifest, source: Fetcher) -> Generator[str]:
        """Let our Ollama copy; what it has to pull, without `http://` also its name on disk."""
        ticket = self._ticket = Ticket(manifest, source)
        try:
            yield f"http://127.0.0.1:{self.port}/{ticket.name}/m:latest"
        finally:
            self._ticket = None

    def _valid(self, request: Request) -> Ticket | None:
        ticket = self._ticket
        ours = request.client is not None and request.client.host in LOOPBACK
        if ticket is None or not ours:
            return None
        named: str = request.path_params["ticket"]
        digest = request.path_params.get("digest")
        known = digest is None or digest in ticket.manifest.sizes
        return ticket if secrets.compare_digest(named, ticket.name) and known else None

    async def _manifest(self, request: Request) -> Response:
        if (ticket := self._valid(request)) is None:
            return Response(status_code=404)
        return Response(ticket.manifest.raw, media_type="application/json")

    async def _blob(self, request: Request) -> Response:
        if (ticket := self._valid(request)) is None:
            return Response(status_code=404)
        digest: str = request.path_params["digest"]
        if request.method == "HEAD":
            return Response(headers={"content-length": str(ticket.manifest.sizes[digest])})
        place = f"http://localhost:{self.port}/relay/{ticket.name}/{digest}"
        return Response(status_code=307, headers={"location": place})

    async def _part(self, request: Request) -> Response:
        if (ticket := self._valid(request)) is None:
            return Response(status_code=404)
        digest: str = request.path_params["digest"]
        held = AsyncExitStack()
        try:
            span = request.headers.get("range", "")
            answer = await held.enter_async_context(ticket.source.blob(digest, span))
        except CopyFailed as error:
            logger.warning("%s", error)
            return Response(str(error), 502)
        return _Relayed(answer, held)


class _Relayed(StreamingResponse):
    """What the other board sends, as it comes."""

    def __init__(self, answer: httpx.Response, held: AsyncExitStack) -> None:
        kept = ("content-length", "content-range")
        headers = {k: v for k, v in answer.headers.items() if k in kept}
        super().__init__(answer.aiter_bytes(), answer.status_code, headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and let go of the other board whatever happens."""
        async with self._held:
            await super().__call__(scope, receive, send)
