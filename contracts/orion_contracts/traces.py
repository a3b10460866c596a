"""What an entry that is no valid request still tells about where to answer (pure).

A body that cannot be parsed (too large, too deep, cut off) is looked through from its beginning for
`request_id`, `callback` and `model` of the top level. The scan ends at the first thing that is no
JSON, at the end of the object, or at its bounds; what it read until then counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from orion_contracts import keys
from orion_contracts.limits import callback_problem, is_request_id

SCAN_BYTES = 16 * 1024 * 1024
SCAN_TOKENS = 100_000
"""Brackets, texts and scalars: what lies behind more of them is not found."""
STEP_BYTES = 1024 * 1024
"""One search takes at most this much of a text: other threads have to get their turn."""
LONGEST_TEXT = 2048
"""Longer texts of the top level are passed over unread."""
MODEL_CHARS = 200
_NAMES = ("request_id", "callback", "model")
_START = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{")
_TOKEN = re.compile(
    rb"[ \t\r\n]*+(?:"
    rb'(?P<text>")'
    rb"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<mark>[,:])"
    rb'|(?P<scalar>[^\s",:\[\]{}]++))'
)
_WITHIN = re.compile(rb'[^"\\\x00-\x1f]*+(?:\\[^\x00-\x1f][^"\\\x00-\x1f]*+)*+')
"""What a text holds, up to its closing quote."""


class Traces(NamedTuple):
    """Each empty where it is missing or cannot be used."""

    request_id: str = ""
    callback: str = ""
    model: str = ""


def traces(raw: bytes, document: Mapping[str, Any] | None = None) -> Traces:
    """What is usable of `document`, or of the bytes where they could not be parsed.

    Without a usable callback it is the stream named after the request, where its id is usable.
    """
    told = scan(raw) if document is None else document
    given_id, given_callback, model = (told.get(name) for name in _NAMES)
    request_id = given_id if isinstance(given_id, str) and is_request_id(given_id) else ""
    callback = keys.responses(request_id) if request_id else ""
    if isinstance(given_callback, str) and not callback_problem(given_callback, request_id):
        callback = given_callback
    return Traces(request_id, callback, model[:MODEL_CHARS] if isinstance(model, str) else "")


def scan(raw: bytes) -> dict[str, str]:
    """The top level's texts under the names that we look for; the last one wins, as in JSON."""
    found: dict[str, str] = {}
    start = _START.match(raw)
    if start is None:
        return found
    at, end, depth = start.end(), min(len(raw), SCAN_BYTES), 1
    name, expect = "", "name"
    for _ in range(SCAN_TOKENS):
        token = _TOKEN.match(raw, at, end)
        if token is None:
            break
        at, kind, text = token.end(), token.lastgroup, b""
        if kind == "text":
            begin, at = at - 1, _behind_text(raw, at, end)
            if at < 0:
                break
            text = raw[begin:at] if at - begin <= LONGEST_TEXT else b""
        if depth > 1:
            depth += (kind == "open") - (kind == "close")
            continue
        match expect, kind:
            case "name", "text":
                name, expect = _read(text) or "", "colon"
            case "colon", "mark" if token["mark"] == b":":
                expect = "value"
            case "value", "text":
                if name in _NAMES and (value := _read(text)) is not None:
                    found[name] = value
                expect = "comma"
            case "value", "open":
                depth, expect = 2, "comma"
            case "value", "scalar":
                expect = "comma"
            case "comma", "mark" if token["mark"] == b",":
                expect = "name"
            case _:
                break
    return found


def _behind_text(raw: bytes, at: int, end: int) -> int:
    """Where the text that goes on at `at` has ended; -1 where it does not end, or is none."""
    while at < end:
        within = _WITHIN.match(raw, at, min(at + STEP_BYTES, end))
        step = within.end() - at if within else 0
        at += step
        if raw[at : at + 1] == b'"':
            return at + 1 if at < end else -1
        if step < STEP_BYTES - 1:  # a control character, or the end of what we look at
            return -1
    return -1


def _read(text: bytes) -> str | None:
    """A text's content; None where it is too long to matter, or no UTF-8."""
    try:
        return str(orjson.loads(text))
    except orjson.JSONDecodeError:
        return None
