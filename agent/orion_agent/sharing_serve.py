"""Gives this board's models to other boards of the cluster: manifests and files, with a cap."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from orion_agent.sharing_door import CHALLENGE, PROOF, Door
from orion_agent.sharing_folder import Folder, Missing, span_of

MANIFESTS, BLOBS = "/share/v1/manifests/", "/share/v1/blobs/"
CHUNK_BYTES = 256 * 1024
logger = logging.getLogger("orion.worker.sharing")


class Cap:
    """Bytes per second for all who copy together."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_s = 0.0

    async def spend(self, size_bytes: int) -> None:
        """Wait until so many more may go."""
        now = anyio.current_time()
        self._free_s = max(self._free_s, now) + size_bytes / self._bytes_per_s
        await anyio.sleep(self._free_s - now)


class Shop:
    """The routes."""

    def __init__(self, folder: Folder, door: Door, bytes_per_s: float) -> None:
        self._folder, self._door, self._cap = folder, door, Cap(bytes_per_s)
        self.sent_bytes = 0

    def routes(self) -> list[BaseRoute]:
        """For the worker's HTTP server."""
        return [
            Route(MANIFESTS + "{name:path}", self._manifest),
            Route(BLOBS + "{digest}", self._blob),
        ]

    async def _manifest(self, request: Request) -> Response:
        if (refused := self._refusal(request)) is not None:
            return refused
        try:
            name: str = request.path_params["name"]
            manifest = await to_thread.run_sync(self._folder.manifest, name)
        except Missing as error:
            return PlainTextResponse(str(error), 404)
        return Response(manifest.raw, media_type="application/json")

    async def _blob(self, request: Request) -> Response:
        if (refused := self._refusal(request)) is not None:
            return refused
        try:
            digest: str = request.path_params["digest"]
            path, size = await to_thread.run_sync(self._folder.blob, digest)
        except Missing as error:
            return PlainTextResponse(str(error), 404)
        span = span_of(request.headers.get("range", ""), size)
        if span is None:
            return Response(None, 416, {"content-range": f"bytes */{size}"})
        first, end = span
        whole = (first, end) == (0, size)
        headers = {"content-length": str(end - first), "accept-ranges": "bytes"}
        if not whole:
            headers["content-range"] = f"bytes {first}-{end - 1}/{size}"
        body = self._read(path, first, end)
        return StreamingResponse(
            body, 200 if whole else 206, headers, media_type="application/octet-stream"
        )

    async def _read(self, path: Path, first: int, end: int) -> AsyncGenerator[bytes]:
        async with await anyio.open_file(path, "rb") as file:
            await file.seek(first)
            while first < end:
                part = await file.read(min(CHUNK_BYTES, end - first))
                if not part:
                    logger.warning("%s ended early: somebody is changing it", path.name)
                    return
                first += len(part)
                await self._cap.spend(len(part))
                self.sent_bytes += len(part)
                yield part

    def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        proof, span = headers.get(PROOF, ""), headers.get("range", "")
        if self._door.admits(proof, request.method, request.url.path, span):
            return None
        text = "prove that you are a worker of this cluster"
        return PlainTextResponse(text, 401, {CHALLENGE: self._door.challenge()})
