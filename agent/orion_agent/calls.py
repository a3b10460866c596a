"""A request as Ollama's API takes it (pure).

The official client drops what it does not know (ids of tool calls, unknown parts of a tool's
schema), and reads a *file* where an image's text happens to be a path on this board. Requests with
such fields are therefore sent as the same JSON without it: see `needs_plain_json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orion_agent.engine import load_options
from orion_contracts.messages import InferenceRequest

_LOSSY = ("images", "tool_calls", "tool_call_id")


def needs_plain_json(request: InferenceRequest) -> bool:
    """Whether the official client would change this request or its answer."""
    return bool(request.tools) or any(key in m for m in request.messages for key in _LOSSY)


def options(request: InferenceRequest, max_output_tokens: int) -> dict[str, Any]:
    """The caller's options, always with a limit to the answer's length."""
    given = dict(request.options or {})
    if max_output_tokens:
        given.setdefault("num_predict", max_output_tokens)
    return given


def path(request: InferenceRequest) -> str:
    """The route of the operation."""
    return f"/api/{request.operation}"


def prompt_of(request: InferenceRequest) -> Mapping[str, Any]:
    """The message that a generate operation takes as its prompt: the user's last."""
    users = [m for m in request.messages if m.get("role") == "user"]
    return (users or list(request.messages))[-1]


def chat(request: InferenceRequest, max_output_tokens: int) -> dict[str, Any]:
    """Arguments of the client's `chat`; also the JSON body."""
    call: dict[str, Any] = {
        "model": request.model,
        "messages": request.messages,
        "options": options(request, max_output_tokens),
        "keep_alive": request.keep_alive_seconds,
    }
    if request.tools:
        call["tools"] = request.tools
    return _with_shape(request, call)


def generate(request: InferenceRequest, max_output_tokens: int) -> dict[str, Any]:
    """Arguments of the client's `generate`; also the JSON body."""
    message = prompt_of(request)
    call: dict[str, Any] = {
        "model": request.model,
        "prompt": message.get("content", ""),
        "options": options(request, max_output_tokens),
        "keep_alive": request.keep_alive_seconds,
        **(request.generate or {}),
    }
    if images := message.get("images"):
        call["images"] = images
    return _with_shape(request, call)


def embed(request: InferenceRequest) -> dict[str, Any]:
    """Arguments of the client's `embed`: each message a text; an empty one alone only loads."""
    texts = [m.get("content", "") for m in request.messages]
    return {
        "model": request.model,
        "input": "" if texts == [""] else texts,
        "options": dict(request.options or {}),
        "keep_alive": request.keep_alive_seconds,
    }


def load(request: InferenceRequest, keep_alive_s: int) -> dict[str, Any]:
    """An empty request: it loads the model and answers when that is done."""
    call: dict[str, Any] = {
        "model": request.model,
        "options": load_options(request),
        "keep_alive": keep_alive_s,
    }
    if request.operation == "embed":
        call["input"] = ""
    elif request.operation == "generate":
        call["prompt"] = ""
    else:
        call["messages"] = ()
    return call


def _with_shape(request: InferenceRequest, call: dict[str, Any]) -> dict[str, Any]:
    if request.format is not None and request.format != "":
        call["format"] = request.format
    if request.think is not None:
        call["think"] = request.think
    return call
