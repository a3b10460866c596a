"""Parsing `/api/chat`, `/api/generate` and `/api/embed` bodies, with Ollama's own refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from orion_lab.durations import keep_alive_s
from orion_lab.engine import Message, Task
from orion_lab.errors import ApiError, model_not_found
from orion_lab.models import ModelSpec, full_name
from orion_lab.options import fingerprint, number, stops
from orion_lab.scheduler import Fingerprint

_NO_MAPPING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Call:
    """A valid generating request."""

    model: ModelSpec
    # As the client spelled it: that is what the answer repeats.
    name: str
    chat: bool
    stream: bool
    task: Task
    fingerprint: Fingerprint
    keep_s: float | None
    load_only: bool
    raw: bool
    thinking: bool
    tools: tuple[str, ...]


def body(data: bytes) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        ApiError: 400, empty or not an object.
    """
    if not data:
        raise ApiError(400, "missing request body")
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, str(error)) from None
    if not isinstance(found, dict):
        raise ApiError(400, "json: cannot unmarshal into Go value of type api.Request")
    return found


def find_model(models: Mapping[str, ModelSpec], name: object) -> ModelSpec:
    """The model on this board's disk.

    Raises:
        ApiError: 400 without a name, 404 if it is not there.
    """
    if not isinstance(name, str) or not name:
        raise ApiError(400, "model is required")
    found = models.get(name) or models.get(full_name(name))
    if found is None:
        raise model_not_found(name)
    return found


def keep_alive(data: Mapping[str, Any]) -> float | None:
    """Seconds of `keep_alive`, None if not given.

    Raises:
        ApiError: 400 with Go's text.
    """
    try:
        return keep_alive_s(data.get("keep_alive"))
    except ValueError as error:
        raise ApiError(400, str(error)) from None


def parse(data: Mapping[str, Any], models: Mapping[str, ModelSpec], *, chat: bool) -> Call:
    """A chat or generate body as a call.

    Raises:
        ApiError: whatever is wrong with it, in Ollama's words.
    """
    keep_s = keep_alive(data)
    messages = _messages(data.get("messages")) if chat else ()
    prompt = "" if chat else _text(data, "prompt")
    options = data.get("options") or _NO_MAPPING
    if not isinstance(options, Mapping):
        raise ApiError(400, _go_type(options, "options", "map[string]interface {}"))
    top_logprobs = data.get("top_logprobs") or 0
    if not isinstance(top_logprobs, int) or not 0 <= top_logprobs <= 20:
        raise ApiError(400, "top_logprobs must be between 0 and 20")
    model = find_model(models, data.get("model"))
    name = str(data["model"])
    load_only = not messages if chat else not prompt
    unload = load_only and keep_s == 0
    thinking = False
    if not unload:
        thinking = _check_capabilities(data, model, name, chat=chat)
    raw = bool(data.get("raw"))
    if raw and any(data.get(key) for key in ("template", "system", "context")):
        raise ApiError(400, "raw mode does not support template, system, or context")
    if not chat and not raw:
        system = _text(data, "system")
        head = (Message("system", system),) if system else ()
        messages = (*head, Message("user", prompt))
    return Call(
        model=model,
        name=name,
        chat=chat,
        stream=data.get("stream") is not False,
        task=Task(
            messages=() if raw else messages,
            prompt=prompt if raw else None,
            num_predict=int(number(options, "num_predict", -1)),
            seed=int(number(options, "seed", -1)) if "seed" in options else None,
            temperature=number(options, "temperature", 0.8),
            stop=stops(options),
            format=data.get("format") or None,
        ),
        fingerprint=fingerprint(options, model),
        keep_s=keep_s,
        load_only=load_only,
        raw=raw,
        thinking=thinking,
        tools=_tool_names(data.get("tools")),
    )


def _check_capabilities(
    data: Mapping[str, Any], model: ModelSpec, name: str, *, chat: bool
) -> bool:
    if "completion" not in model.capabilities:
        raise ApiError(400, f'"{name}" does not support {"chat" if chat else "generate"}')
    thinks = "thinking" in model.capabilities
    wanted = data.get("think")
    if wanted and not thinks:
        raise ApiError(400, f'"{name}" does not support thinking')
    if data.get("tools") and "tools" not in model.capabilities:
        raise ApiError(400, f"registry.ollama.ai/library/{model.name} does not support tools")
    return thinks and wanted is not False


def _messages(value: object) -> tuple[Message, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ApiError(400, _go_type(value, "messages", "[]api.Message"))
    return tuple(_message(each) for each in value)  # pyright: ignore[reportUnknownVariableType]


def _message(value: object) -> Message:
    if not isinstance(value, Mapping):
        raise ApiError(400, _go_type(value, "messages", "api.Message"))
    fields: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    content = fields.get("content", "")
    if not isinstance(content, str):
        raise ApiError(400, _go_type(content, "messages.content", "string"))
    return Message(str(fields.get("role", "")).lower(), content)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key) or ""
    if not isinstance(value, str):
        raise ApiError(400, _go_type(value, key, "string"))
    return value


def _tool_names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    names = (each.get("function", {}).get("name", "") for each in value)  # pyright: ignore
    return tuple(str(name) for name in names)


def _go_type(value: object, field: str, wanted: str) -> str:
    kind = {str: "string", int: "number", float: "number", bool: "bool", list: "array"}.get(
        type(value), "object"
    )
    return f"json: cannot unmarshal {kind} into Go struct field .{field} of type {wanted}"


def parse_load(data: Mapping[str, Any], model: ModelSpec) -> Fingerprint:
    """The load-time options of a request that generates no text.

    Raises:
        ApiError: a wrong type.
    """
    return fingerprint(data.get("options") or _NO_MAPPING, model)
