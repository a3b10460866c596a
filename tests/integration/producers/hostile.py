"""Entries that are no valid requests, by name: what is wrong with each, and its bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from integration.producers.customer import Document, fresh_id, request

Make = Callable[[Document], bytes]
"""From a valid request to the bytes of an invalid one."""


def _with(**changes: object) -> Make:
    return lambda document: json.dumps({**document, **changes}).encode()


def _without(name: str) -> Make:
    return lambda document: json.dumps({k: v for k, v in document.items() if k != name}).encode()


def _raw(payload: bytes) -> Make:
    return lambda document: payload


def _instead(old: str, new: bytes) -> Make:
    """The text of a valid request with one JSON value replaced by any bytes."""

    def make(document: Document) -> bytes:
        text = json.dumps({**document, old: "HERE"}).encode()
        return text.replace(b'"HERE"', new)

    return make


def _messages(*messages: object) -> Make:
    return _with(messages=list(messages))


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def _long(document: Document) -> bytes:
    """Its texts alone pass every limit; the callback comes after them."""
    return _messages({"role": "user", "content": "x" * 11_000_000})(document)


USER = {"role": "user", "content": "x"}

ANSWERED: Mapping[str, Make] = {
    "wrong version": _with(version="2.0"),
    "version as a number": _with(version=1.0),
    "no version": _without("version"),
    "no model": _without("model"),
    "empty model": _with(model=""),
    "model of 100,000 letters": _with(model="m" * 100_000),
    "model with a line break": _with(model="smollm2\nINFO forged"),
    "model with a path": _with(model="../../etc/passwd"),
    "model is null": _with(model=None),
    "no messages": _without("messages"),
    "empty messages": _messages(),
    "messages is an object": _with(messages={"role": "user", "content": "x"}),
    "message is a text": _messages("hello"),
    "unknown role": _messages({"role": "robot", "content": "x"}),
    "content is a number": _messages({"role": "user", "content": 7}),
    "no content": _messages({"role": "user"}),
    "1,025 messages": _messages(*[USER] * 1025),
    "300 KiB of text": _messages({"role": "user", "content": "x" * 300 * 1024}),
    "no timestamp": _without("timestamp"),
    "timestamp is no date": _with(timestamp="yesterday"),
    "timestamp without a zone": _with(timestamp="2026-01-31T12:00:00"),
    "the 31st of February": _with(timestamp="2026-02-31T12:00:00Z"),
    "no source": _without("source"),
    "source is a list": _with(source=["a"]),
    "keep-alive is a text": _with(keep_alive_seconds="600"),
    "keep-alive is negative": _with(keep_alive_seconds=-1),
    "keep-alive has a fraction": _with(keep_alive_seconds=1.5),
    "keep-alive is true": _with(keep_alive_seconds=True),
    "stream is a text": _with(stream="yes"),
    "unknown priority": _with(priority="urgent"),
    "deadline of 0": _with(deadline_ms=0),
    "options is a list": _with(options=[1]),
    "cut in the middle": lambda document: json.dumps(document).encode()[:-20],
    "two documents": lambda document: json.dumps(document).encode() * 2,
    "invalid UTF-8": _instead("source", b'"\xff\xfe"'),
    "a lone surrogate": _instead("source", b'"\\ud800"'),
    "a surrogate as bytes": _instead("source", b'"\xed\xa0\x80"'),
    "NaN": _instead("keep_alive_seconds", b"NaN"),
    "infinity": _instead("keep_alive_seconds", b"Infinity"),
    "a byte order mark": lambda document: b"\xef\xbb\xbf" + json.dumps(document).encode(),
    "nested 100 deep": _instead("extra", _nested(100)),
    "nested a million deep": _instead("extra", _nested(1_000_000)),
    "a body of 11 MB": _long,
    "a body of 11 MB that is cut off": lambda document: _long(document)[:-20],
}
"""The id and the callback can be read: an error response, and a dead letter."""

ONLY_BURIED: Mapping[str, Make] = {
    "not JSON": _raw(b"{not json"),
    "empty payload": _raw(b""),
    "blank payload": _raw(b" \n\t "),
    "an array": _raw(b"[]"),
    "a text": _raw(b'"hello"'),
    "a number": _raw(b"7"),
    "null": _raw(b"null"),
    "an empty object": _raw(b"{}"),
    "NUL bytes": _raw(b"\0\0\0\0"),
    "a NUL within": lambda document: json.dumps(document).encode().replace(b"user", b"us\0er"),
    "UTF-16": lambda document: json.dumps(document).encode("utf-16"),
    "a million brackets": _raw(_nested(1_000_000)),
}
"""Nobody can be told: a dead letter."""

BAD_IDS: Mapping[str, object] = {
    "no UUID": "request-1",
    "UUID without dashes": fresh_id().replace("-", ""),
    "UUID in braces": "{" + fresh_id() + "}",
    "empty id": "",
    "id is a number": 7,
    "id with a line break": fresh_id() + "\n",
    "id of non-ASCII digits": "\u0663" * 8 + "-0000-4000-8000-000000000000",
}
"""The callback can be read, the id cannot."""

BAD_CALLBACKS: Mapping[str, object] = {
    "the queue": "orion:inference:queue",
    "the intake": "orion:inference:requests",
    "a board's stream": "orion:inference:requests:pi-a",
    "a board's health": "orion:inference:node:pi-a",
    "a record": "orion:inference:req:" + fresh_id(),
    "the planner's lease": "orion:inference:planner",
    "a router's mailbox": "orion:inference:mailbox:router-0",
    "the dead letters": "orion:inference:dead",
    "the configuration": "orion:inference:config",
    "the answers of another request": "orion:inference:responses:" + fresh_id(),
    "with a space": "my answers",
    "with a line break": "answers\r\nFLUSHALL",
    "with a NUL": "answers\0",
    "not ASCII": "antw\u00f6rt",
    "300 letters": "c" * 300,
    "a number": 7,
    "a list": ["answers"],
}
"""Written to under no circumstances."""


def entry(make: Make) -> tuple[Document, bytes]:
    """A valid request, and what the hostile producer sends in its place."""
    document = request()
    return document, make(document)
