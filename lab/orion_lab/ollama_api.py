"""Ollama's HTTP routes on a simulated board."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from random import Random
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from orion_lab import calls, metadata
from orion_lab.answers import JsonSink, NdjsonSink, Sink, send_json
from orion_lab.board import Board
from orion_lab.calls import Call
from orion_lab.departure import ClientWatch, read_body
from orion_lab.errors import ApiError
from orion_lab.generate import Cut, serve

MakeSink = Callable[[Call, Send, dict[str, Any]], Sink]
ErrorBody = Callable[[ApiError], object]


class Generating:
    """An endpoint that generates; bare ASGI, because it streams and every microsecond counts."""

    def __init__(
        self,
        board: Board,
        parse: Callable[[dict[str, Any]], Call],
        sink: MakeSink,
        error: ErrorBody,
    ) -> None:
        self._board, self._parse, self._sink, self._error = board, parse, sink, error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            data = calls.body(await read_body(receive))
            call = self._parse(data)
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
    return NdjsonSink(call, send) if call.stream else JsonSink(call, send)


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
        data = calls.body(await request.body())
        return JSONResponse(metadata.show(calls.find_model(board.models, data.get("model"))))

    async def embed(request: Request) -> Response:
        return JSONResponse(await embeddings(board, calls.body(await request.body())))

    def parse_chat(data: dict[str, Any]) -> Call:
        return calls.parse(data, board.models, chat=True)

    def parse_generate(data: dict[str, Any]) -> Call:
        return calls.parse(data, board.models, chat=False)

    chat = Generating(board, parse_chat, _native_sink, native_error)
    generate = Generating(board, parse_generate, _native_sink, native_error)
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


async def embeddings(board: Board, data: dict[str, Any]) -> dict[str, Any]:
    """`/api/embed`: unit-length vectors that depend on the text alone.

    Raises:
        ApiError: as the native route answers.
    """
    model = calls.find_model(board.models, data.get("model"))
    inputs = data.get("input") or []
    texts = [inputs] if isinstance(inputs, str) else list(inputs)
    if not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid input type")
    call = calls.parse_load(data, model)
    loop = asyncio.get_running_loop()
    started = loop.time()
    runner = await board.scheduler.acquire(model, call, calls.keep_alive(data))
    try:
        loaded = loop.time()
        async with runner.slots:
            vectors = [
                _vector(text, data.get("dimensions") or model.embedding_length) for text in texts
            ]
    finally:
        board.scheduler.release(runner)
    return {
        "model": data["model"],
        "embeddings": vectors,
        "total_duration": int((loop.time() - started) * 1e9) + 1,
        "load_duration": int((loaded - started) * 1e9) + 1,
        "prompt_eval_count": sum(max(1, len(text) // 4) for text in texts),
    }


def _vector(text: str, dimensions: int) -> list[float]:
    rng = Random(sha256(text.encode()).digest())
    raw = [rng.gauss(0, 1) for _ in range(dimensions)]
    length = sum(value * value for value in raw) ** 0.5
    return [value / length for value in raw]
