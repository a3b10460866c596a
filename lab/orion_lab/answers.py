"""Ollama's answer shapes: NDJSON streams and single objects, for chat and generate."""

import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson
from starlette.types import Send

from orion_lab.calls import Call
from orion_lab.durations import stamp

NDJSON: Final = [(b"content-type", b"application/x-ndjson")]
_METRICS: Final = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)
JSON: Final = [(b"content-type", b"application/json; charset=utf-8")]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended; durations in nanoseconds, zeros are left out on the wire."""

    done_reason: str
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0
    tool_calls: tuple[dict[str, Any], ...] = ()

    def metrics(self) -> dict[str, int]:
        """The metric fields that are not zero."""
        return {name: value for name in _METRICS if (value := getattr(self, name))}


class Sink(Protocol):
    """Where an answer goes. Nothing is sent before the first token, so that an earlier failure
    can still be a real HTTP status."""

    started: bool

    async def token(self, text: str, *, thought: bool = False) -> None:
        """One token of the answer, or of the thinking before it."""
        ...

    async def finish(self, final: Ending) -> None:
        """The end of a complete answer."""
        ...

    async def fail(self, message: str) -> None:
        """An error after the first token: the status is already 200."""
        ...

    async def end(self) -> None:
        """A clean end of the HTTP response without a final message."""
        ...

    async def begin(self) -> None:
        """Send the status and the headers now."""
        ...


async def send_json(send: Send, status: int, value: object) -> None:
    """A whole JSON response."""
    body = orjson.dumps(value)
    headers = [*JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def message(call: Call, text: str, thoughts: str, final: Ending) -> dict[str, Any]:
    """The part of a final object that carries text."""
    if not call.chat:
        return {"response": text, **({"thinking": thoughts} if thoughts else {})}
    tools = {"tool_calls": list(final.tool_calls)} if final.tool_calls else {}
    thinking = {"thinking": thoughts} if thoughts else {}
    return {"message": {"role": "assistant", "content": text, **thinking, **tools}}


def final_object(call: Call, final: Ending, text: str = "", thoughts: str = "") -> dict[str, Any]:
    """The object with `done: true`."""
    value: dict[str, Any] = {
        "model": call.name,
        "created_at": stamp(time.time_ns()),
        **message(call, text, thoughts, final),
        "done": True,
        "done_reason": final.done_reason,
        **final.metrics(),
    }
    if not call.chat and not call.raw and not call.load_only:
        value["context"] = list(range(1, final.prompt_eval_count + final.eval_count + 1))
    return value


class NdjsonSink:
    """A stream: one line and one ASGI message per token, from bytes prepared beforehand."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call, self._send = call, send
        self.started = False
        self._head = b'{"model":%b,"created_at":"' % orjson.dumps(call.name)
        if call.chat:
            self._middle = b'","message":{"role":"assistant","content":'
            self._tail = b'},"done":false}\n'
        else:
            self._middle, self._tail = b'","response":', b',"done":false}\n'

    async def begin(self) -> None:
        """See `Sink`."""
        self.started = True
        await self._send({"type": "http.response.start", "status": 200, "headers": NDJSON})

    async def token(self, text: str, *, thought: bool = False) -> None:
        """See `Sink`."""
        if not self.started:
            await self.begin()
        quoted = orjson.dumps(text)
        if thought:
            quoted = b'"","thinking":' + quoted
        at = stamp(time.time_ns()).encode()
        line = b"".join((self._head, at, self._middle, quoted, self._tail))
        await self._send({"type": "http.response.body", "body": line, "more_body": True})

    async def finish(self, final: Ending) -> None:
        """See `Sink`."""
        if not self.started:
            await self.begin()
        line = orjson.dumps(final_object(self._call, final)) + b"\n"
        await self._send({"type": "http.response.body", "body": line})

    async def fail(self, message: str) -> None:
        """See `Sink`."""
        line = orjson.dumps({"error": message}) + b"\n"
        await self._send({"type": "http.response.body", "body": line})

    async def end(self) -> None:
        """See `Sink`."""
        if not self.started:
            await self.begin()
        await self._send({"type": "http.response.body", "body": b""})


class JsonSink:
    """One object at the end."""

    def __init__(self, call: Call, send: Send) -> None:
        self._call, self._send = call, send
        self.started = False
        self._text: list[str] = []
        self._thoughts: list[str] = []

    async def begin(self) -> None:
        """Headers of an answer that will never be complete: the connection is about to break."""
        self.started = True
        headers = [*JSON, (b"content-length", b"100000")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def token(self, text: str, *, thought: bool = False) -> None:
        """See `Sink`."""
        (self._thoughts if thought else self._text).append(text)

    async def finish(self, final: Ending) -> None:
        """See `Sink`."""
        text, thoughts = "".join(self._text), "".join(self._thoughts)
        await send_json(self._send, 200, final_object(self._call, final, text, thoughts))

    async def fail(self, message: str) -> None:
        """See `Sink`: nothing was sent yet, so this one is a real status."""
        await send_json(self._send, 500, {"error": message})

    async def end(self) -> None:
        """See `Sink`: without a final message Ollama answers with what it has."""
        call, text = self._call, "".join(self._text)
        value = final_object(call, Ending(""), text)
        del value["done_reason"]
        await send_json(self._send, 200, {**value, "done": False})
