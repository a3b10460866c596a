"""What goes wrong, as HTTP: one table from errors and failed finals to status and text (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from orion_contracts.errors import (
    EngineRefused,
    EngineRejected,
    OrionError,
    Unavailable,
)

CLIENT_CLOSED = 499
DEFAULT_RETRY_S = 5


class Fault(NamedTuple):
    """An answer that is not 200. `code` is stable; `retry_after_s` is None where it is no use."""

    status: int
    text: str
    code: str = ""
    retry_after_s: int | None = None


ENDING = Fault(503, "the server is shutting down; ask again", "server_shutting_down", 5)


class GatewayError(OrionError):
    """Something the gateway itself refuses."""

    def __init__(self, status: int, text: str, code: str, retry_after_s: int | None = None) -> None:
        super().__init__(text)
        self.http_status = status
        self.code = code
        self.retry_after_s = retry_after_s


def fault_of(error: OrionError) -> Fault:
    """The HTTP answer to an error: the nearest entry of its class's ancestry."""
    text = str(error) or error.code
    for kind in type(error).__mro__:
        if kind is GatewayError or kind is Unavailable:
            retry: int | None = getattr(error, "retry_after_s", None)
            return Fault(error.http_status, text, error.code, retry)
        if kind is EngineRefused:
            return Fault(error.http_status, text, error.code, DEFAULT_RETRY_S)
        if kind is EngineRejected:
            given: int = getattr(error, "status", 0)
            return Fault(given if 400 <= given < 500 else 400, text, error.code)
    return Fault(error.http_status, text, error.code)


_BY_STATUS: Mapping[str, int] = {"expired": 504, "cancelled": CLIENT_CLOSED, "rejected": 503}
_BY_CODE: Mapping[str, int] = {
    "invalid_request": 400,
    "too_large": 413,
    "model_not_found": 404,
    "queue_full": 503,
    "no_node_eligible": 503,
    "store_unavailable": 503,
    "engine_busy": 503,
}
BAD_GATEWAY = 502


def fault_of_final(payload: Mapping[str, Any]) -> Fault:
    """The HTTP answer to a final that did not complete."""
    status_word = payload.get("status", "failed")
    code = str(payload.get("error_code") or status_word)
    given = payload.get("error_status")
    given = given if isinstance(given, int) else 0
    if code == "engine_rejected":
        status = given if 400 <= given < 500 else 400
    elif code in _BY_CODE:
        status = 429 if given == 429 else _BY_CODE[code]
    else:
        status = _BY_STATUS.get(status_word, BAD_GATEWAY)
    text = str(payload.get("error") or f"the request ended as {status_word}")
    wait_ms = payload.get("retry_after_ms")
    retry: int | None = None
    if status in (429, 503):
        retry = max(1, -(-wait_ms // 1000)) if isinstance(wait_ms, int) else DEFAULT_RETRY_S
    return Fault(status, text, code, retry)


def ollama_error(fault: Fault) -> bytes:
    """Ollama's shape."""
    return orjson.dumps({"error": fault.text})


_OPENAI_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    404: "not_found_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
}


_OPENAI_PATHS = ("/v1/chat/", "/v1/completions", "/v1/embeddings", "/v1/models")


def openai_error(fault: Fault) -> bytes:
    """OpenAI's shape, with the words Ollama uses in it."""
    kind = _OPENAI_TYPES.get(fault.status, "api_error")
    code = None if fault.status in (400, 404) else fault.code or None
    return orjson.dumps(
        {"error": {"message": fault.text, "type": kind, "param": None, "code": code}}
    )


def own_error(fault: Fault) -> bytes:
    """The shape of our own endpoints: Ollama's, with the stable code beside it."""
    return orjson.dumps({"error": fault.text, "code": fault.code})


def spell_for(path: str) -> Callable[[Fault], bytes]:
    """The shape in which errors of this path are told."""
    if path.startswith("/api/"):
        return ollama_error
    return openai_error if path.startswith(_OPENAI_PATHS) else own_error
