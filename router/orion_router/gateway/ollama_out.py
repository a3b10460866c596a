"""Answers as Ollama writes them: NDJSON streams and single objects, keys in Ollama's order (pure,
but for the time stamp). Lines of tokens are joined from bytes prepared once for a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from orion_router.gateway.durations import stamp_now
from orion_router.gateway.faults import Fault, ollama_error

NDJSON: Final = b"application/x-ndjson"
JSON: Final = b"application/json; charset=utf-8"
_MS: Final = 1_000_000  # nanoseconds
_METRICS: Final = (
    ("total_duration", "total_duration_ms", _MS),
    ("load_duration", "load_duration_ms", _MS),
    ("prompt_eval_count", "prompt_tokens", 1),
    ("prompt_eval_duration", "prompt_eval_duration_ms", _MS),
    ("eval_count", "completion_tokens", 1),
    ("eval_duration", "eval_duration_ms", _MS),
)


class OllamaShape:
    """One answer of /api/chat or /api/generate."""

    stream_type = NDJSON
    whole_type = JSON
    keep_alive = b""

    def __init__(self, model: str, *, chat: bool, context: bool = True) -> None:
        self._chat, self._context = chat, context and not chat
        self.answered_by(model)
        if chat:
            self._middle = b'","message":{"role":"assistant","content":'
            self._tail = b'},"done":false}\n'
        else:
            self._middle, self._tail = b'","response":', b',"done":false}\n'

    def answered_by(self, model: str) -> None:
        """See Shape."""
        self._model = model
        self._head = b'{"model":' + orjson.dumps(model) + b',"created_at":"'

    def pieces(self, deltas: Sequence[Mapping[str, Any]]) -> bytes:
        """See Shape."""
        before = self._head + stamp_now().encode() + self._middle
        tail, dumps = self._tail, orjson.dumps
        return b"".join(
            [
                before + dumps(delta["content"]) + tail
                if len(delta) == 1 and "content" in delta
                else before + self._rich(delta) + tail
                for delta in deltas
            ]
        )

    def end(self, final: Mapping[str, Any], called_tools: bool, facts: bytes) -> bytes:
        """See Shape."""
        return orjson.dumps(self._document(final, "", None, ())) + b"\n"

    def broken(self, fault: Fault) -> bytes:
        """See Shape."""
        return ollama_error(fault) + b"\n"

    def whole(self, final: Mapping[str, Any]) -> bytes:
        """See Shape."""
        text, thoughts = final.get("response") or "", final.get("thinking")
        return orjson.dumps(self._document(final, text, thoughts, final.get("tool_calls") or ()))

    def _rich(self, delta: Mapping[str, Any]) -> bytes:
        """The text of a delta and what else it carries, inside the message."""
        parts = [orjson.dumps(delta.get("content") or "")]
        if thought := delta.get("thinking"):
            parts += b',"thinking":', orjson.dumps(thought)
        if (calls := delta.get("tool_calls")) and self._chat:
            parts += b',"tool_calls":', orjson.dumps(calls)
        return b"".join(parts)

    def _document(
        self, final: Mapping[str, Any], text: str, thoughts: str | None, calls: Sequence[Any]
    ) -> dict[str, Any]:
        document: dict[str, Any] = {"model": self._model, "created_at": stamp_now()}
        if self._chat:
            message: dict[str, Any] = {"role": "assistant", "content": text}
            if thoughts:
                message["thinking"] = thoughts
            if calls:
                message["tool_calls"] = calls
            document["message"] = message
        else:
            document["response"] = text
            if thoughts:
                document["thinking"] = thoughts
        document["done"] = True
        reason = final.get("finish_reason") or "stop"
        document["done_reason"] = reason
        if reason in ("load", "unload"):
            return document
        if self._context and final.get("context"):
            document["context"] = final["context"]
        for name, ours, factor in _METRICS:
            if (value := final.get(ours)) is not None:
                document[name] = int(value * factor)
        return document
