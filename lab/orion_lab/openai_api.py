"""The OpenAI-shaped routes of Ollama, as thin as tests of a proxy need them."""

import time
from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Send

from orion_lab import calls
from orion_lab.answers import Ending, Sink, send_json
from orion_lab.board import Board
from orion_lab.calls import Call
from orion_lab.errors import ApiError
from orion_lab.models import ModelSpec
from orion_lab.ollama_api import Generating

_SSE: Final = [(b"content-type", b"text/event-stream")]
_KINDS: Final = {400: "invalid_request_error", 404: "not_found_error"}


def openai_error(error: ApiError) -> object:
    """The error body of `/v1`."""
    kind = _KINDS.get(error.status, "api_error")
    return {"error": {"message": error.message, "type": kind, "param": None, "code": None}}


def _native(data: Mapping[str, Any]) -> dict[str, Any]:
    """The native chat body for an OpenAI one."""
    names = {"seed": "seed", "temperature": "temperature", "stop": "stop"}
    options = {ours: data[theirs] for theirs, ours in names.items() if data.get(theirs) is not None}
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    limit = data.get("max_tokens") or data.get("max_completion_tokens")
    if limit is not None:
        options["num_predict"] = limit
    if not data.get("messages"):
        raise ApiError(400, "[] is too short - 'messages'")
    return {
        "model": data.get("model"),
        "messages": data["messages"],
        "tools": data.get("tools"),
        "stream": bool(data.get("stream")),
        "options": options,
    }


class _Common:
    """What both OpenAI answers share."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call, self._send = call, send
        self.started = False
        self._text: list[str] = []
        self._head = {"id": f"chatcmpl-{time.time_ns() % 1000}", "created": int(time.time())}

    def _usage(self, ending: Ending) -> dict[str, int]:
        prompt, completion = ending.prompt_eval_count, ending.eval_count
        total = prompt + completion
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": total,
        }

    def _object(self, kind: str, choice: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            **self._head,
            "object": kind,
            "model": self._call.name,
            "system_fingerprint": "fp_ollama",
            "choices": [{"index": 0, **choice}],
            **more,
        }


class SseSink(_Common):
    """Server-sent events, ended by `[DONE]`."""

    def __init__(self, call: Call, send: Send, *, usage: bool) -> None:
        super().__init__(call, send)
        self._with_usage = usage

    async def begin(self) -> None:
        """See `Sink`."""
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": _SSE})

    async def token(self, text: str, *, thought: bool = False) -> None:
        """See `Sink`."""
        delta = {"role": "assistant", "content": text}
        if thought:
            delta = {"role": "assistant", "content": "", "reasoning": text}
        await self._event({"delta": delta, "finish_reason": None})

    async def finish(self, final: Ending) -> None:
        """See `Sink`."""
        reason = "tool_calls" if final.tool_calls else final.done_reason
        delta: dict[str, Any] = {"role": "assistant", "content": ""}
        if final.tool_calls:
            delta["tool_calls"] = [_tool_call(each) for each in final.tool_calls]
        await self._event({"delta": delta, "finish_reason": reason})
        if self._with_usage:
            value = self._object("chat.completion.chunk", {}, usage=self._usage(final))
            await self._line({**value, "choices": []})
        await self._send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})

    async def fail(self, message: str) -> None:
        """See `Sink`."""
        await self._line(openai_error(ApiError(500, message)))
        await self.end()

    async def end(self) -> None:
        """See `Sink`."""
        if not self.started:
            await self.begin()
        await self._send({"type": "http.response.body", "body": b""})

    async def _event(self, choice: dict[str, Any]) -> None:
        await self._line(self._object("chat.completion.chunk", choice))

    async def _line(self, value: object) -> None:
        if not self.started:
            await self.begin()
        line = b"data: " + orjson.dumps(value) + b"\n\n"
        await self._send({"type": "http.response.body", "body": line, "more_body": True})


class ObjectSink(_Common):
    """One `chat.completion` object."""

    async def begin(self) -> None:
        """Headers of an answer that will never be complete."""
        self.started = True
        headers = [(b"content-type", b"application/json"), (b"content-length", b"100000")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def token(self, text: str, *, thought: bool = False) -> None:
        """See `Sink`."""
        if not thought:
            self._text.append(text)

    async def finish(self, final: Ending) -> None:
        """See `Sink`."""
        reply: dict[str, Any] = {"role": "assistant", "content": "".join(self._text)}
        if final.tool_calls:
            reply["tool_calls"] = [_tool_call(each) for each in final.tool_calls]
        reason = "tool_calls" if final.tool_calls else final.done_reason
        choice = {"message": reply, "finish_reason": reason}
        value = self._object("chat.completion", choice, usage=self._usage(final))
        await send_json(self._send, 200, value)

    async def fail(self, message: str) -> None:
        """See `Sink`."""
        await send_json(self._send, 500, openai_error(ApiError(500, message)))

    async def end(self) -> None:
        """See `Sink`."""
        await self.finish(Ending(""))


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = orjson.dumps(function["arguments"]).decode()
    named = {"name": function["name"], "arguments": arguments}
    return {"id": call["id"], "index": function["index"], "type": "function", "function": named}


def _sink(call: Call, send: Send, data: dict[str, Any]) -> Sink:
    if not call.stream:
        return ObjectSink(call, send)
    stream_options: Mapping[str, Any] = data.get("stream_options") or {}
    usage = bool(stream_options.get("include_usage"))
    return SseSink(call, send, usage=usage)


def routes(board: Board) -> list[BaseRoute]:
    """`/v1/models` and `/v1/chat/completions`."""

    async def models(request: Request) -> Response:
        listed = [
            {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "library"}
            for name in board.models
        ]
        return JSONResponse({"object": "list", "data": listed})

    def parse(data: Mapping[str, Any], on_disk: Mapping[str, ModelSpec]) -> Call:
        return calls.chat_call(_native(data), on_disk)

    chat = Generating(board, "ChatCompletionRequest", parse, _sink, openai_error)
    return [Route("/v1/models", models), Route("/v1/chat/completions", chat, methods=["POST"])]
