"""Every way in which Ollama and its client fail, as one error tree.

| seen | means |
| --- | --- |
| connection refused, connect timeout | EngineRefused: no work began |
| 429, 502, 503, 504; 500 "requires more system memory" | EngineRefused: not now, not here |
| another 4xx; a request that the client itself refuses | EngineRejected: no board will do better |
| 500 `option "..." must be of ...`, `invalid JSON schema in format` | EngineRejected, too |
| another 5xx; `error` in mid-stream; a cut connection; half a line; no `done` | EngineCrashed |
| silence of the connection beyond its timeout | EngineStalled |
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

import httpx
import orjson
from ollama import ResponseError
from pydantic import ValidationError

from orion_contracts.errors import (
    EngineCrashed,
    EngineError,
    EngineRefused,
    EngineRejected,
    EngineStalled,
)

REFUSING_STATUS = frozenset({429, 499, 502, 503, 504})
NO_MEMORY_MARK = "requires more system memory"
_BAD_REQUEST = re.compile(
    r'\Aoption "[^"]{0,100}" must be of '
    r"|\Ainvalid format: |invalid JSON schema in format"
    r"|JSON schema (?:error|conversion failed)|failed to parse grammar",
    re.IGNORECASE,
)
"""Ollama's words, old and new, for an option of a wrong type and for a `format` that makes no
grammar. It says so with a 500, but the request is wrong: counted as a crash, three attempts would
be blamed on boards."""
MAX_TEXT_CHARS = 500
MODEL_NOT_FOUND = "model_not_found"


def from_status(status: int, text: str) -> EngineError:
    """The error for an HTTP answer that is no success."""
    said = _message(text)
    if status in REFUSING_STATUS or NO_MEMORY_MARK in said:
        return EngineRefused(said or f"HTTP {status}", status)
    if 400 <= status < 500:
        error = EngineRejected(said or f"HTTP {status}", status)
        if status == 404 and "not found" in said:
            error.code = MODEL_NOT_FOUND
        elif status == 400:
            error.code = "invalid_request"
        return error
    if _BAD_REQUEST.search(said):
        rejected = EngineRejected(said, 400)
        rejected.code = "invalid_request"
        return rejected
    return EngineCrashed(said or f"HTTP {status}", max(status, 0))


def translate(error: Exception, *, began: bool) -> EngineError:
    """The error for an exception of the client. `began`: something of the answer had arrived."""
    match error:
        case EngineError():
            return error
        case ResponseError():
            if error.status_code <= 0:  # {"error": ...} in mid-stream
                return EngineCrashed(_message(error.error))
            return from_status(error.status_code, error.error)
        case (
            httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | ConnectionError()
        ):
            return EngineRefused(f"Ollama cannot be reached: {_short(error)}")
        case httpx.TimeoutException():
            return EngineStalled(f"Ollama fell silent: {_short(error)}")
        case httpx.TransportError() | httpx.StreamError() | OSError():
            where = "in mid-stream" if began else "before its answer"
            return EngineCrashed(f"the connection to Ollama was cut {where}: {_short(error)}")
        case json.JSONDecodeError() | orjson.JSONDecodeError():
            return EngineCrashed("Ollama's stream broke off within a line")
        case ValidationError():
            return EngineCrashed("Ollama's answer has a shape that its client does not know")
        case _:
            return EngineCrashed(f"Ollama's client failed: {_short(error)}")


def invalid_call(error: Exception) -> EngineRejected:
    """The client refused to send the request: a field has a type that Ollama does not take."""
    rejected = EngineRejected("the request does not fit Ollama's API: " + _short(error), 400)
    rejected.code = "invalid_request"
    return rejected


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:MAX_TEXT_CHARS]
    return (str(error) or type(error).__name__)[:MAX_TEXT_CHARS]


def _message(text: str) -> str:
    """The text of Ollama's `{"error": ...}`, or the body itself."""
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text[:MAX_TEXT_CHARS]
    said: Any = None
    if isinstance(document, dict):
        said = cast(dict[str, Any], document).get("error")
    return (said if isinstance(said, str) else text)[:MAX_TEXT_CHARS]
