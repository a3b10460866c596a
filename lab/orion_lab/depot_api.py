"""Ollama's routes that change what is on disk: pull, copy, delete."""

from contextlib import aclosing
from dataclasses import replace
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from orion_lab import calls, json_body
from orion_lab.answers import send_json
from orion_lab.board import Board
from orion_lab.departure import ClientWatch, read_body
from orion_lab.depot import PullCut, PullFailed
from orion_lab.errors import ApiError, model_not_found
from orion_lab.json_body import Fields
from orion_lab.models import full_name
from orion_lab.ollama_api import guarded

_NDJSON: Final = [(b"content-type", b"application/x-ndjson")]


class Pull:
    """`POST /api/pull`; bare ASGI, because a client that leaves ends it."""

    def __init__(self, board: Board) -> None:
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One pull."""
        try:
            data = json_body.parse(await read_body(receive), "PullRequest")
            name = Fields(data, "PullRequest").text("model") or str(data.get("name") or "")
            calls.check_name(name)
        except ApiError as error:
            await send_json(send, error.status, {"error": error.message})
            return
        async with ClientWatch(receive):
            if data.get("stream") is False:
                await self._whole(name, send)
            else:
                await self._streamed(name, send)

    async def _whole(self, name: str, send: Send) -> None:
        try:
            async with aclosing(self._board.depot.pull(name)) as pull:
                async for _ in pull:
                    pass
        except PullFailed as error:
            await send_json(send, 500, {"error": str(error)})
        except PullCut:
            return
        else:
            await send_json(send, 200, {"status": "success"})

    async def _streamed(self, name: str, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _NDJSON})

        async def line(value: object) -> None:
            body = orjson.dumps(value) + b"\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})

        try:
            async with aclosing(self._board.depot.pull(name)) as pull:
                async for progress in pull:
                    await line(progress)
        except PullFailed as error:
            # The first line has gone out, so the status has, too.
            await line({"error": str(error)})
        except PullCut:
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def routes(board: Board) -> list[BaseRoute]:
    """All of them."""

    async def copy(request: Request) -> Response:
        data = Fields(json_body.parse(await request.body(), "CopyRequest"), "CopyRequest")
        source, target = data.text("source"), full_name(data.text("destination"))
        if (spec := board.models.get(full_name(source))) is None:
            return JSONResponse({"error": f'model "{source}" not found'}, 404)
        board.models[target] = replace(spec, name=target, file=spec.file or spec.name)
        return Response()

    async def delete(request: Request) -> Response:
        data = json_body.parse(await request.body(), "DeleteRequest")
        name = Fields(data, "DeleteRequest").text("model") or str(data.get("name") or "")
        if not board.depot.delete(full_name(name)):
            raise model_not_found(name)
        return Response()

    return [
        Route("/api/pull", Pull(board), methods=["POST"]),
        Route("/api/copy", guarded(copy), methods=["POST"]),
        Route("/api/delete", guarded(delete), methods=["DELETE"]),
    ]
