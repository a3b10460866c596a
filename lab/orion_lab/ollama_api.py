"""Ollama's HTTP routes on a simulated board."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from orion_lab import calls, json_body, metadata
from orion_lab.answers import JsonSink, NdjsonSink, Sink, send_json
from orion_lab.board import Board
from orion_lab.breakage import Cut
from orion_lab.calls import Call
from orion_lab.departure import ClientWatch, read_body
from orion_lab.embed import embeddings
from orion_lab.errors import ApiError
from orion_lab.generate import serve
from orion_lab.json_body import Fields
from orion_lab.models import ModelSpec

ParseCall = Callable[[Mapping[str, Any], Mapping[str, ModelSpec]], Call]
MakeSink = Callable[[Call, Send, dict[str, Any]], Sink]
ErrorBody = Callable[[ApiError], object]


class Generating:
    """An endpoint that generates; bare ASGI, because it streams and every microsecond counts."""

    def __init__(
        self,
        board: Board,
        go_type: str,
        parse: ParseCall,
        sink: MakeSink,
        error: ErrorBody,
    ) -> None:
        self._board, self._go_type, self._parse = board, go_type, parse
        self._sink, self._error = sink, error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            data = json_body.parse(await read_body(receive), self._go_type)
            call = self._parse(data, self._board.models)
        except ApiError as error:
            self._board.stats.rejected += 1
            await send_json(send, error.status, self._error(error))
            return
        async with ClientWatch(receive):
            sink = self._sink(call, send, data)
            try:
                await serve(self._board, call, sink)
            except ApiError as error:
                await send_json(send, error.status, self._error(error))
            except Cut:
                # Returning with the response unfinished makes the server close the connection.
                return


def native_error(error: ApiError) -> object:
    """Ollama's own error body."""
    return {"error": error.message}


def _native_sink(call: Call, send: Send, data: dict[str, Any]) -> Sink:
    # Loading and unloading answer with one object whether or not a stream was asked for.
    streams = call.stream and not call.load_only
    return NdjsonSink(call, send) if streams else JsonSink(call, send)


def routes(board: Board) -> list[BaseRoute]:
    """All native routes."""

    async def root(request: Request) -> Response:
        return PlainTextResponse("Ollama is running")

    async def version(request: Request) -> Response:
        return JSONResponse({"version": board.settings.version})

    async def tags(request: Request) -> Response:
        return JSONResponse(metadata.tags(board))

    async def running(request: Request) -> Response:
        return JSONResponse(metadata.running(board))

    async def show(request: Request) -> Response:
        data = json_body.parse(await request.body(), "ShowRequest")
        name = Fields(data, "ShowRequest").text("model") or str(data.get("name") or "")
        if not name:
            raise ApiError(400, "model is required")
        return JSONResponse(metadata.show(calls.find_model(board.models, name)))

    async def embed(request: Request) -> Response:
        data = json_body.parse(await request.body(), "EmbedRequest")
        return JSONResponse(await embeddings(board, data))

    chat = Generating(board, "ChatRequest", calls.chat_call, _native_sink, native_error)
    generate = Generating(board, "GenerateRequest", calls.generate_call, _native_sink, native_error)
    return [
        Route("/api/chat", chat, methods=["POST"]),
        Route("/api/generate", generate, methods=["POST"]),
        Route("/", root),
        Route("/api/version", version),
        Route("/api/tags", tags),
        Route("/api/ps", running),
        Route("/api/show", guarded(show), methods=["POST"]),
        Route("/api/embed", guarded(embed), methods=["POST"]),
    ]


Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler) -> Handler:
    """The handler with refusals turned into answers."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            return JSONResponse(native_error(error), error.status)

    return answer
