"""Answers as OpenAI's protocol spells them, with what Ollama puts into them: server-sent events and
single objects (pure, but for the time stamp)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from orion_router.gateway.faults import Fault, openai_error

SSE: Final = b"text/event-stream"
JSON: Final = b"application/json"
KEEP_ALIVE: Final = b": keep-alive\n\n"
_DONE: Final = b"data: [DONE]\n\n"


class OpenAIShape:
    """One answer of /v1/chat/completions or /v1/completions."""

    stream_type = SSE
    whole_type = JSON
    keep_alive = KEEP_ALIVE

    def __init__(self, model: str, request_id: str, *, chat: bool, usage: bool) -> None:
        self._chat, self._usage = chat, usage
        self._facts: dict[str, Any] = {
            "id": ("chatcmpl-" if chat else "cmpl-") + request_id,
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": "fp_ollama",
        }
        self.answered_by(model)
        if chat:
            self._tail = b'},"finish_reason":null}]}\n\n'
        else:
            usage_part = orjson.dumps(_usage({})) if usage else b""
            more = b',"usage":' + usage_part if usage else b""
            self._tail = b',"index":0,"finish_reason":null}]' + more + b"}\n\n"

    def answered_by(self, model: str) -> None:
        """See Shape."""
        self._facts["model"] = model
        head = b"data: " + orjson.dumps(self._facts)[:-1] + b',"choices":[{'
        chat = b'"index":0,"delta":{"role":"assistant","content":'
        self._head = head + (chat if self._chat else b'"text":')

    def pieces(self, deltas: Sequence[Mapping[str, Any]]) -> bytes:
        """See Shape."""
        head, tail, dumps = self._head, self._tail, orjson.dumps
        return b"".join(
            [
                head + dumps(delta["content"]) + tail
                if len(delta) == 1 and "content" in delta
                else self._rich(delta)
                for delta in deltas
            ]
        )

    def end(self, final: Mapping[str, Any], called_tools: bool, facts: bytes) -> bytes:
        """See Shape."""
        reason = "tool_calls" if called_tools else final.get("finish_reason") or "stop"
        if self._chat:
            delta = {"role": "assistant", "content": ""}
            choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": reason}
        else:
            choice = {"text": "", "index": 0, "finish_reason": reason}
        last: dict[str, Any] = {**self._facts, "choices": [choice]}
        if self._usage and not self._chat:
            last["usage"] = _usage({})
        out = [b"data: ", orjson.dumps(last), b"\n\n"]
        if self._usage:
            usage: dict[str, Any] = {**self._facts, "choices": [], "usage": _usage(final)}
            out += b"data: ", orjson.dumps(usage), b"\n\n"
        out += facts, _DONE
        return b"".join(out)

    def broken(self, fault: Fault) -> bytes:
        """See Shape."""
        return b"data: " + openai_error(fault) + b"\n\n"

    def whole(self, final: Mapping[str, Any]) -> bytes:
        """See Shape."""
        text = final.get("response") or ""
        reason = final.get("finish_reason") or "stop"
        if not self._chat:
            choice: dict[str, Any] = {"text": text, "index": 0, "finish_reason": reason}
            kind = "text_completion"
        else:
            message: dict[str, Any] = {"role": "assistant", "content": text}
            if thoughts := final.get("thinking"):
                message["reasoning"] = thoughts
            if calls := final.get("tool_calls"):
                message["tool_calls"] = [_tool_call(each) for each in calls]
                reason = "tool_calls"
            choice = {"index": 0, "message": message, "finish_reason": reason}
            kind = "chat.completion"
        document = {**self._facts, "object": kind, "choices": [choice], "usage": _usage(final)}
        return orjson.dumps(document) + b"\n"

    def _rich(self, delta: Mapping[str, Any]) -> bytes:
        """Thinking goes in an event of its own before text and tool calls."""
        text, thought, calls = delta.get("content"), delta.get("thinking"), delta.get("tool_calls")
        if not self._chat:
            return self._head + orjson.dumps(text or "") + self._tail
        out: list[bytes] = []
        if thought:
            out += self._head, b'"","reasoning":', orjson.dumps(thought), self._tail
        if calls:
            tools = orjson.dumps([_tool_call(each) for each in calls])
            out += self._head, orjson.dumps(text or ""), b',"tool_calls":', tools, self._tail
        elif text or not thought:
            out += self._head, orjson.dumps(text or ""), self._tail
        return b"".join(out)


def _usage(final: Mapping[str, Any]) -> dict[str, int]:
    prompt, completion = final.get("prompt_tokens") or 0, final.get("completion_tokens") or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function: Mapping[str, Any] = call.get("function") or {}
    arguments = orjson.dumps(function.get("arguments") or {}).decode()
    return {
        "id": call.get("id") or "",
        "index": function.get("index") or 0,
        "type": "function",
        "function": {"name": function.get("name") or "", "arguments": arguments},
    }
