"""Size limits and names: what a schema cannot say. Used at every boundary that takes requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

from orion_contracts import keys, schema
from orion_contracts.errors import InvalidRequest, TooLarge
from orion_contracts.messages import InferenceRequest
from orion_contracts.sizes import DEFAULT_LIMITS as DEFAULT_LIMITS
from orion_contracts.sizes import Limits as Limits

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*(:[A-Za-z0-9._-]+)?")
_NODE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,256}")


_PARTS = (b"[", b"{", b",")
MOST_PARTS = 400_000
"""Lists, objects and items of one body, counted before it is parsed: ten megabytes of empty lists
would become hundreds in memory. Counts within strings, too, so it leaves room for any text."""


OPTION_LEAST: Mapping[str, int] = {"num_batch": 1}
OPTION_MOST: Mapping[str, int] = {"num_thread": 64}
"""Seen with Ollama: a batch of 0 ends its runner, 100,000 threads hang it."""


def is_request_id(text: str) -> bool:
    """Whether `text` is a UUID in its usual spelling."""
    return _UUID.fullmatch(text) is not None


def is_node_name(text: str) -> bool:
    """Whether `text` can name a board (a Kubernetes node name, or like one)."""
    return _NODE.fullmatch(text) is not None


def check_model(model: str, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise InvalidRequest unless `model` is a usable model name."""
    if len(model) > limits.model_chars or _MODEL.fullmatch(model) is None:
        raise InvalidRequest(
            "model: use letters, digits and . _ / - with an optional :tag, at most "
            f"{limits.model_chars} characters",
            "model",
        )


def callback_problem(callback: str, request_id: str = "") -> str:
    """Why we must not write to this key, or the empty string.

    With `request_id`: the stream named after another request is refused, too.
    """
    if _PRINTABLE.fullmatch(callback) is None:
        return "callback: use 1 to 256 printable ASCII characters without spaces"
    if callback.startswith(keys.PREFIX) and not callback.startswith(keys.RESPONSES):
        return f"callback: {keys.PREFIX} is reserved; choose another key, or {keys.RESPONSES}..."
    owner = callback.removeprefix(keys.RESPONSES)
    if request_id and owner not in (callback, request_id) and is_request_id(owner):
        return "callback: this is the stream of another request; choose another key, or none"
    return ""


def parse_json(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """A JSON object from bytes, or InvalidRequest/TooLarge. Bounded in size and depth."""
    if len(raw) > limits.body_bytes:
        raise TooLarge(f"the body has {len(raw)} bytes; at most {limits.body_bytes} are allowed")
    if len(raw) > limits.text_bytes and sum(map(raw.count, _PARTS)) > MOST_PARTS:
        raise TooLarge(f"the body has more than {MOST_PARTS} parts; make it simpler")
    try:
        document: object = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidRequest("the body must be a JSON object")
    if not _within_depth(cast(dict[str, Any], document), limits.depth):
        raise InvalidRequest(f"the body is nested deeper than {limits.depth} levels")
    return cast(dict[str, Any], document)


def _within_depth(node: object, left: int) -> bool:
    """Whether containers below `node` are at most `left` deep."""
    level: list[object] = [node]
    for _ in range(left + 1):
        deeper: list[object] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(cast(dict[str, object], item).values())
            elif isinstance(item, list):
                deeper.extend(cast(list[object], item))
        if not deeper:
            return True
        level = deeper
    return False


def check_sizes(request: InferenceRequest, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise TooLarge or InvalidRequest where a request passes our limits."""
    check_model(request.model, limits)
    if not is_request_id(request.request_id):
        raise InvalidRequest("request_id: must be a UUID like 123e4567-e89b-...", "request_id")
    if len(request.messages) > limits.messages:
        raise TooLarge(f"messages: at most {limits.messages} are allowed", "messages")
    if sum(_text_bytes(m) for m in request.messages) > limits.text_bytes:
        raise TooLarge(
            f"messages: the texts together may have {limits.text_bytes} bytes; shorten them",
            "messages",
        )
    if request.callback and (problem := callback_problem(request.callback, request.request_id)):
        raise InvalidRequest(problem, "callback")
    _check_options(request.options or {})


def _check_options(options: Mapping[str, Any]) -> None:
    """What would end or hang an engine, and with it what other people run there. Values that an
    engine corrects by itself, like a context of 0, are its own affair."""
    for name, least in OPTION_LEAST.items():
        if _number(options.get(name), least) < least:
            raise InvalidRequest(f"options.{name}: must be at least {least}", f"options.{name}")
    for name, most in OPTION_MOST.items():
        if _number(options.get(name), most) > most:
            raise InvalidRequest(f"options.{name}: must be at most {most}", f"options.{name}")


def _number(value: object, default: int) -> float:
    """The engine has words of its own for another type."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else default


def _text_bytes(message: Mapping[str, Any]) -> int:
    content = message.get("content", "")
    return len(content.encode("utf-8", "surrogatepass")) if isinstance(content, str) else 0


def read_request(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> InferenceRequest:
    """A valid request from a producer's bytes, or InvalidRequest naming the field."""
    document = parse_json(raw, limits)
    schema.check("inference.request", document)
    request = InferenceRequest.from_wire(document)
    check_sizes(request, limits)
    return request
