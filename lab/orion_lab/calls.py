"""What a generating request asks for, with Ollama's own refusals in Ollama's own order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from orion_lab.durations import keep_alive_s
from orion_lab.engine import Message, Task
from orion_lab.errors import ApiError, model_not_found
from orion_lab.json_body import Fields
from orion_lab.models import ModelSpec, full_name
from orion_lab.options import fingerprint, number, stops
from orion_lab.scheduler import Fingerprint
from orion_lab.schemas import usable

_NAME: Final = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)?")
_MAX_LOGPROBS: Final = 20


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


def check_name(name: str) -> None:
    """Refuse an impossible one.

    Raises:
        ApiError: 400.
    """
    if name and not _NAME.fullmatch(name):
        raise ApiError(400, "invalid model name")


def find_model(models: Mapping[str, ModelSpec], name: str) -> ModelSpec:
    """The model on this board's disk.

    Raises:
        ApiError: 400 for an impossible name, 404 if it is not there.
    """
    check_name(name)
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


def chat_call(data: Mapping[str, Any], models: Mapping[str, ModelSpec]) -> Call:
    """The body of `/api/chat`.

    Raises:
        ApiError: whatever is wrong with it, in Ollama's words.
    """
    fields = Fields(data, "ChatRequest")
    messages = tuple(
        Message(each.text("role").lower(), each.text("content"))
        for each in fields.objects("messages", "[]api.Message", "api.Alias")
    )
    if not fields.text("model"):
        raise ApiError(400, "model is required")
    return _call(data, fields, models, Task(messages=messages), chat=True)


def generate_call(data: Mapping[str, Any], models: Mapping[str, ModelSpec]) -> Call:
    """The body of `/api/generate`.

    Raises:
        ApiError: whatever is wrong with it, in Ollama's words.
    """
    fields = Fields(data, "GenerateRequest")
    prompt, system = fields.text("prompt"), fields.text("system")
    if data.get("raw"):
        if system or data.get("template") or data.get("context"):
            raise ApiError(400, "raw mode does not support template, system, or context")
        return _call(data, fields, models, Task(prompt=prompt), chat=False)
    head = (Message("system", system),) if system else ()
    messages = (*head, Message("user", prompt)) if prompt else ()
    return _call(data, fields, models, Task(messages=messages), chat=False)


def _call(
    data: Mapping[str, Any],
    fields: Fields,
    models: Mapping[str, ModelSpec],
    bare: Task,
    *,
    chat: bool,
) -> Call:
    keep_s = keep_alive(data)
    options = fields.mapping("options")
    logprobs = data.get("top_logprobs") or 0
    if not isinstance(logprobs, int) or not 0 <= logprobs <= _MAX_LOGPROBS:
        raise ApiError(400, f"top_logprobs must be between 0 and {_MAX_LOGPROBS}")
    name = fields.text("model")
    model = find_model(models, name)
    load_only = not bare.messages and not bare.prompt
    unload = load_only and keep_s == 0
    tools = _tool_names(fields)
    thinking = not unload and _check(data, model, name, tools, chat=chat)
    return Call(
        model=model,
        name=name,
        chat=chat,
        stream=data.get("stream") is not False,
        task=Task(
            messages=bare.messages,
            prompt=bare.prompt,
            num_predict=int(number(options, "num_predict", -1)),
            seed=int(number(options, "seed", -1)) if "seed" in options else None,
            temperature=number(options, "temperature", model.temperature),
            stop=stops(options),
            format=_format(data),
        ),
        fingerprint=fingerprint(options, model),
        keep_s=keep_s,
        load_only=load_only,
        raw=bare.prompt is not None,
        thinking=thinking,
        tools=tools,
    )


def _check(
    data: Mapping[str, Any], model: ModelSpec, name: str, tools: tuple[str, ...], *, chat: bool
) -> bool:
    """Whether the answer begins with thinking; refuses what the model cannot do."""
    thinks = "thinking" in model.capabilities
    wanted = data.get("think")
    if wanted and not thinks:
        raise ApiError(400, f'"{name}" does not support thinking')
    if "completion" not in model.capabilities:
        raise ApiError(400, f'"{name}" does not support {"chat" if chat else "generate"}')
    if tools and "tools" not in model.capabilities:
        raise ApiError(400, f"registry.ollama.ai/library/{model.name} does not support tools")
    return thinks and wanted is not False


def _format(data: Mapping[str, Any]) -> object:
    value = data.get("format")
    if not value:
        return None
    if value == "json":
        return "json"
    if isinstance(value, dict):
        if not usable(cast("object", value)):
            raise ApiError(500, "invalid JSON schema in format")
        return cast("object", value)
    shown = orjson.dumps(orjson.dumps(value).decode()).decode()
    raise ApiError(500, f'invalid format: {shown}; expected "json" or a valid JSON Schema object')


def _tool_names(fields: Fields) -> tuple[str, ...]:
    return tuple(
        str(each.mapping("function").get("name", ""))
        for each in fields.objects("tools", "api.Tools", "api.Tool")
    )
