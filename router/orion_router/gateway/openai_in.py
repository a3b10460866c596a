"""Bodies of /v1/chat/completions, /v1/completions and /v1/embeddings into an Ask, the way Ollama
translates them (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from orion_contracts.errors import InvalidRequest
from orion_router.gateway import ollama_in
from orion_router.gateway.ask import Ask, read_flag, read_objects, read_text, wrong_type
from orion_router.gateway.openai_messages import translate
from orion_router.gateway.options import read_options

_EFFORTS = ("high", "medium", "low", "max", "none")


def chat(document: Mapping[str, Any]) -> Ask:
    """`/v1/chat/completions`."""
    given = read_objects(document, "messages")
    if not given:
        raise InvalidRequest("[] is too short - 'messages'", "messages")
    messages = [message for each in given for message in translate(each, given)]
    options = _sampling(document)
    for name in ("frequency_penalty", "presence_penalty"):
        if document.get(name) is not None:
            options[name] = document[name]
    limit = document.get("max_tokens")
    if limit is None:
        limit = document.get("max_completion_tokens")
    wire = {
        "model": document.get("model"),
        "messages": messages,
        "stream": read_flag(document, "stream", False),
        "options": {**options, "num_predict": limit},
        "tools": document.get("tools"),
        "format": _format(document.get("response_format")),
        "think": _think(document),
        "top_logprobs": document.get("top_logprobs"),
    }
    return ollama_in.chat(wire)


def completion(document: Mapping[str, Any]) -> Ask:
    """`/v1/completions`."""
    options = _sampling(document)
    for name in ("frequency_penalty", "presence_penalty"):
        options[name] = document.get(name) or 0.0
    wire = {
        "model": document.get("model"),
        "prompt": document.get("prompt"),
        "suffix": document.get("suffix"),
        "stream": read_flag(document, "stream", False),
        "options": {**options, "num_predict": document.get("max_tokens")},
    }
    return ollama_in.generate(wire)


def embeddings(document: Mapping[str, Any]) -> Ask:
    """`/v1/embeddings`."""
    encoding = read_text(document, "encoding_format").lower()
    if encoding not in ("", "float", "base64"):
        raise InvalidRequest(
            "Invalid value for 'encoding_format'. Supported values: ['float', 'base64'].",
            "encoding_format",
        )
    given = document.get("input")
    if given is None or given == []:
        raise InvalidRequest("invalid input", "input")
    wire = {
        "model": document.get("model"),
        "input": [""] if given == "" else given,
        "dimensions": document.get("dimensions"),
    }
    return ollama_in.embed(wire)


def wants_usage(document: Mapping[str, Any]) -> bool:
    """Whether a stream is to end with a usage chunk."""
    options = document.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise wrong_type("stream_options", options, "openai.StreamOptions")
    return read_flag(cast(dict[str, Any], options), "include_usage", False)


def _sampling(document: Mapping[str, Any]) -> dict[str, Any]:
    """Seed, temperature, top_p and stop: OpenAI's defaults, not the model's."""
    options: dict[str, Any] = {
        "temperature": _or(document.get("temperature"), 1.0),
        "top_p": _or(document.get("top_p"), 1.0),
    }
    if document.get("seed") is not None:
        options["seed"] = document["seed"]
    stop = document.get("stop")
    if isinstance(stop, str):
        options["stop"] = [stop]
    elif isinstance(stop, list):
        options["stop"] = [each for each in cast(list[object], stop) if isinstance(each, str)]
    return read_options(options) or {}


def _or(value: Any, default: float) -> Any:
    return default if value is None else value


def _format(value: object) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type("response_format", value, "openai.ResponseFormat")
    asked = cast(dict[str, Any], value)
    match read_text(asked, "type").strip().lower():
        case "json_object":
            return "json"
        case "json_schema":
            wrapper = asked.get("json_schema")
            return (
                cast(dict[str, Any], wrapper).get("schema") if isinstance(wrapper, dict) else None
            )
        case _:
            return None


def _think(document: Mapping[str, Any]) -> bool | str | None:
    reasoning = document.get("reasoning")
    if isinstance(reasoning, dict):
        effort = read_text(cast(dict[str, Any], reasoning), "effort")
    else:
        effort = read_text(document, "reasoning_effort")
    if not effort:
        return None
    if effort not in _EFFORTS:
        raise InvalidRequest(
            'invalid reasoning value (must be "high", "medium", "low", "max", or "none")',
            "reasoning_effort",
        )
    return False if effort == "none" else effort
