"""Messages in OpenAI's spelling into Ollama's, the way Ollama translates them (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from orion_contracts.errors import InvalidRequest
from orion_router.gateway.ask import read_objects, read_text

_IMAGE_TYPES = ("jpeg", "jpg", "png", "webp")


def translate(
    given: Mapping[str, Any], all_given: tuple[Mapping[str, Any], ...]
) -> list[dict[str, Any]]:
    """One message, or one for each part of a message in parts."""
    role = read_text(given, "role").lower()
    role = "system" if role == "developer" else role
    base: dict[str, Any] = {}
    if calls := read_objects(given, "tool_calls"):
        base["tool_calls"] = [_tool_call(each) for each in calls]
    if reasoning := read_text(given, "reasoning"):
        base["thinking"] = reasoning
    if call_id := read_text(given, "tool_call_id"):
        base["tool_call_id"] = call_id
    if role == "tool" and (name := read_text(given, "name") or _called(all_given, call_id)):
        base["tool_name"] = name
    content = given.get("content")
    if isinstance(content, list):
        parts = [_part(role, each) for each in cast(list[object], content)]
        if parts:
            parts[-1].update(base)
        return parts
    if content is None and not calls:
        raise InvalidRequest("invalid message content type: <nil>", "messages.content")
    return [{"role": role, "content": read_text(given, "content"), **base}]


def _part(role: str, given: object) -> dict[str, Any]:
    part = cast(dict[str, Any], given) if isinstance(given, dict) else {}
    match part.get("type"), part.get("text"), part.get("image_url"):
        case "text", str() as text, _:
            return {"role": role, "content": text}
        case "image_url", _, {"url": str() as url}:
            return {"role": role, "content": "", "images": [_image(url)]}
        case "image_url", _, str() as url:
            return {"role": role, "content": "", "images": [_image(url)]}
        case _:
            raise InvalidRequest("invalid message format", "messages.content")


def _image(url: str) -> str:
    if url.startswith(("http://", "https://")):
        raise InvalidRequest(
            "image URLs are not currently supported, please use base64 encoded data instead"
        )
    head, comma, data = url.partition(";base64,")
    if comma and (head == "data:" or head.removeprefix("data:image/") in _IMAGE_TYPES):
        return data
    raise InvalidRequest("invalid image input", "messages.content")


def _tool_call(given: Mapping[str, Any]) -> dict[str, Any]:
    function = given.get("function")
    named = cast(dict[str, Any], function) if isinstance(function, dict) else {}
    try:
        arguments: Any = orjson.loads(read_text(named, "arguments"))
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise InvalidRequest("invalid tool call arguments", "messages.tool_calls")
    call: dict[str, Any] = {"function": {"name": read_text(named, "name"), "arguments": arguments}}
    return {"id": call_id, **call} if (call_id := read_text(given, "id")) else call


def _called(messages: tuple[Mapping[str, Any], ...], call_id: str) -> str:
    """The name of the function that the newest call with this id called."""
    for message in reversed(messages):
        for call in read_objects(message, "tool_calls"):
            function = call.get("function")
            if call_id and call.get("id") == call_id and isinstance(function, dict):
                return read_text(cast(dict[str, Any], function), "name")
    return ""
