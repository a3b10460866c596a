"""How much of a prompt was seen before: hashes of its beginnings, and how long they are (pure).

A conversation repeats itself: each turn begins with all turns before it, our own answers included.
Two requests whose chains share a hash share the prompt up to there, so a board that read one has
the other's beginning in its cache. The hashes are keyed per installation: they tell nobody who
lacks the key what a prompt holds, and guessing it does not help.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from orion_contracts.messages import InferenceRequest

MOST_PREFIXES = 16
CHARS_PER_TOKEN = 4
"""Rule of thumb for English text; only the order of magnitude matters to a plan."""
IMAGE_TOKENS = 256
"""What common small vision models make of a picture."""
MOST_TEXT_BYTES = 512 * 1024
"""Of a body without its images. Longer ones fit into no context of such boards, and hashing them
would hold up the answers of others."""
MOST_IMAGES = 64
_WHOLE_CHARS = 4096
_SLICES, _SLICE_CHARS = 32, 64
_DIGEST_BYTES = 9

Message = Mapping[str, Any]


class Prefix(NamedTuple):
    """A prompt's beginning, up to the end of one message."""

    digest: str
    """12 characters of URL-safe base64."""
    tokens: int
    """Estimated length of the beginning."""


class Outline(NamedTuple):
    """What planning needs to know of a prompt."""

    tokens: int
    """Estimated length of the whole prompt."""
    prefixes: tuple[Prefix, ...] = ()


def outline(request: InferenceRequest, key: bytes = b"", body_bytes: int = 0) -> Outline:
    """A request's estimated prompt tokens and, with a key, the chain of its prefixes.

    One prefix for the first message and each of the last 15; none for embeddings, where nothing
    is cached, and none where `body_bytes` (the request on the wire; 0: not known) or its pictures
    are beyond what can be hashed in passing.
    """
    try:
        return _outline(request, key, body_bytes)
    except (TypeError, ValueError):  # what no JSON can say: nothing of ours makes it
        said = [m.get("content") for m in request.messages]
        return Outline(_tokens(sum(len(each) for each in said if isinstance(each, str))))


def _outline(request: InferenceRequest, key: bytes, body_bytes: int) -> Outline:
    pictures = [m["images"] for m in request.messages if m.get("images")]
    count = sum(map(len, pictures))
    if count > MOST_IMAGES:
        return Outline(_tokens(sum(map(_chars, request.messages))))
    text_bytes = body_bytes - sum(len(image) for images in pictures for image in images)
    if text_bytes > MOST_TEXT_BYTES:
        return Outline(_tokens(text_bytes) + IMAGE_TOKENS * count)
    head, messages = _head(request), _messages(request)
    if not key or request.operation == "embed":
        return Outline(_tokens(len(head) + sum(map(_chars, messages))))
    return _walk(request.model, head, messages, key)


def _head(request: InferenceRequest) -> bytes:
    """What is rendered around or before the messages; empty for a plain conversation."""
    given = request.generate or {}
    head = {name: given[name] for name in ("template", "raw", "context", "suffix") if name in given}
    if request.tools:
        head["tools"] = request.tools
    if request.think is not None:
        head["think"] = request.think
    return orjson.dumps(head, option=orjson.OPT_SORT_KEYS) if head else b""


def _messages(request: InferenceRequest) -> Sequence[Message]:
    """The messages, a `generate` operation's system text as the message that it becomes."""
    system = (request.generate or {}).get("system")
    if not system:
        return request.messages
    return ({"role": "system", "content": system}, *request.messages)


def _walk(model: str, head: bytes, messages: Sequence[Message], key: bytes) -> Outline:
    """Hash the messages as one stream of JSON, noting the hash at the boundaries that count."""
    tagged = model if ":" in model else f"{model}:latest"
    stream = hashlib.blake2b(tagged.encode() + b"\0" + head, digest_size=_DIGEST_BYTES, key=key)
    chars, noted = len(head), list[Prefix]()
    cut = max(1, len(messages) - MOST_PREFIXES + 1)
    first, between, last = messages[:1], messages[1:cut], messages[cut:]
    for group in (first, between, *((message,) for message in last)):
        if group:
            listed = orjson.dumps([_thin(m) for m in group], option=orjson.OPT_SORT_KEYS)
            stream.update(b"," + listed[1:-1])
            chars += sum(map(_chars, group))
            if group is not between:
                digest = base64.urlsafe_b64encode(stream.digest()).decode()
                noted.append(Prefix(digest, _tokens(chars)))
    return Outline(_tokens(chars), tuple(noted))


def _thin(message: Message) -> Message:
    """The message with no more of its pictures than tells them apart."""
    images: Any = message.get("images")
    return {**message, "images": [_sample(image) for image in images]} if images else message


def _sample(image: str) -> str:
    """Length, beginning, end and slices: compressed pictures that differ, differ everywhere."""
    length = len(image)
    if length <= _WHOLE_CHARS:
        return image
    step = length // _SLICES
    slices = (image[at : at + _SLICE_CHARS] for at in range(0, length, step))
    return f"{length}:{''.join(slices)}{image[-_SLICE_CHARS:]}"


def _chars(message: Message) -> int:
    """Characters that count, pictures in their worth of tokens."""
    content = message.get("content")
    chars = len(content) if isinstance(content, str) else 0
    if len(message) > 2:  # more than role and content
        chars += len(message.get("thinking") or "")
        chars += CHARS_PER_TOKEN * IMAGE_TOKENS * len(message.get("images") or ())
        if calls := message.get("tool_calls"):
            chars += len(orjson.dumps(calls))
    return chars


def _tokens(chars: int) -> int:
    return chars // CHARS_PER_TOKEN + 1
