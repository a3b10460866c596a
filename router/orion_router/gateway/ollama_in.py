"""Bodies of /api/chat, /api/generate and /api/embed into an Ask, in Ollama's words (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from orion_contracts.errors import InvalidRequest, UnknownModel
from orion_router.gateway.ask import (
    EMPTY_PROMPT,
    Ask,
    read_flag,
    read_objects,
    read_text,
    wrong_type,
)
from orion_router.gateway.durations import keep_alive_s
from orion_router.gateway.images import read_images
from orion_router.gateway.options import read_options

_ROLES = frozenset({"user", "assistant", "system", "tool"})
_THINK_WORDS = ("low", "medium", "high", "max")


def chat(document: Mapping[str, Any]) -> Ask:
    """`/api/chat`. Without messages it only loads (or unloads) the model."""
    if not (model := read_text(document, "model")):
        raise InvalidRequest("model is required", "model")
    messages = read_messages(document)
    common = _common(document)
    if not messages:
        return Ask(
            model=model, messages=EMPTY_PROMPT, operation="generate", load_only=True, **common
        )
    return Ask(
        model=model,
        messages=messages,
        stream=read_flag(document, "stream", True),
        tools=read_objects(document, "tools") or None,
        format=_format(document.get("format")),
        think=read_think(document.get("think")),
        **common,
    )


def generate(document: Mapping[str, Any]) -> Ask:
    """`/api/generate`. Without a prompt it only loads (or unloads) the model."""
    model = _named(document)
    prompt = read_text(document, "prompt")
    common = _common(document)
    extras: dict[str, Any] = {
        name: text
        for name in ("suffix", "system", "template")
        if (text := read_text(document, name))
    }
    if read_flag(document, "raw", False):
        if "system" in extras or "template" in extras or document.get("context"):
            raise InvalidRequest("raw mode does not support template, system, or context")
        extras["raw"] = True
    if context := _context(document.get("context")):
        extras["context"] = context
    if not prompt:
        return Ask(
            model=model, messages=EMPTY_PROMPT, operation="generate", load_only=True, **common
        )
    message: dict[str, Any] = {"role": "user", "content": prompt}
    if images := read_images(document.get("images")):
        message["images"] = images
    return Ask(
        model=model,
        messages=(message,),
        operation="generate",
        stream=read_flag(document, "stream", True),
        format=_format(document.get("format")),
        think=read_think(document.get("think")),
        generate=extras or None,
        **common,
    )


def embed(document: Mapping[str, Any]) -> Ask:
    """`/api/embed`: each input becomes a message."""
    model = _named(document)
    given = document.get("input")
    listed: object = [given] if isinstance(given, str) else given or []
    texts = cast(list[object], listed) if isinstance(listed, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidRequest("invalid input type", "input")
    dimensions = document.get("dimensions")
    if dimensions is not None and (
        isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions >= 2**31
    ):
        raise wrong_type("dimensions", dimensions, "int")
    if given == "":
        texts = []
    return Ask(
        model=model,
        messages=tuple({"role": "user", "content": text} for text in texts) or EMPTY_PROMPT,
        operation="embed",
        dimensions=dimensions if dimensions and dimensions > 0 else None,
        load_only=not texts,
        **_common(document),
    )


def read_messages(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The messages with the fields that we know, roles in lower case."""
    return tuple(map(_message, read_objects(document, "messages")))


def _message(given: Mapping[str, Any]) -> Mapping[str, Any]:
    role, content = given.get("role"), given.get("content")
    if len(given) == 2 and isinstance(role, str) and role in _ROLES and isinstance(content, str):
        return given
    role = read_text(given, "role").lower()
    if role not in _ROLES:
        raise InvalidRequest("messages.role: use user, assistant, system or tool", "messages.role")
    message: dict[str, Any] = {"role": role, "content": read_text(given, "content")}
    for name in ("thinking", "tool_name", "tool_call_id"):
        if text := read_text(given, name):
            message[name] = text
    if images := read_images(given.get("images")):
        message["images"] = images
    if calls := read_objects(given, "tool_calls"):
        message["tool_calls"] = list(calls)
    return message


def read_think(value: object) -> bool | str | None:
    """`think`: true, false or a level."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _THINK_WORDS:
        return value
    raise InvalidRequest(
        'think must be a boolean or string ("high", "medium", "low", "max", true, or false)',
        "think",
    )


def _format(value: object) -> Any:
    if value is None or value == "":
        return None
    if value == "json":
        return value
    if isinstance(value, dict):
        return cast(dict[str, Any], value)
    raise InvalidRequest('invalid format: expected "json" or a valid JSON Schema object', "format")


def _context(value: object) -> list[int]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type("context", value, "[]int")
    for each in cast(list[object], value):
        if isinstance(each, bool) or not isinstance(each, int):
            raise wrong_type("context", each, "int")
    return cast(list[int], value)


def _named(document: Mapping[str, Any]) -> str:
    model = read_text(document, "model")
    if not model:
        raise UnknownModel(model)  # this is how Ollama says it here
    return model


def _common(document: Mapping[str, Any]) -> dict[str, Any]:
    top = document.get("top_logprobs")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int)):
        raise wrong_type("top_logprobs", top, "int")
    if top is not None and not 0 <= top <= 20:
        raise InvalidRequest("top_logprobs must be between 0 and 20", "top_logprobs")
    return {
        "keep_alive_seconds": keep_alive_s(document.get("keep_alive")),
        "options": read_options(document.get("options")),
    }
