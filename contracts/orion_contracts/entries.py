"""A producer's stream entry: a valid request, or a refusal that says why (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from orion_contracts import keys, schema
from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import (
    DEFAULT_LIMITS,
    Limits,
    callback_problem,
    check_sizes,
    is_request_id,
    parse_json,
)
from orion_contracts.messages import InferenceRequest, InferenceResponse
from orion_contracts.stamp import iso_now

FIELDS = (b"payload", b"data")
SAMPLE_BYTES = 512


class Refusal(NamedTuple):
    """Why an entry is no request, where to say so (empty: nowhere usable), and the error answer."""

    why: str
    request_id: str
    callback: str
    final: bytes
    sample: bytes


class Entry(NamedTuple):
    """A valid request, its body as it came, and the fields that we do not know."""

    request: InferenceRequest
    body: bytes
    unknown: tuple[str, ...]


def read_entry(
    fields: Mapping[bytes, bytes], source: str, limits: Limits = DEFAULT_LIMITS
) -> Entry | Refusal:
    """Read `payload` (or `data`). `source` signs the error answer of a refusal."""
    raw = next((fields[name] for name in FIELDS if name in fields), None)
    if raw is None:
        return Refusal(
            "the entry has no field named payload (or data)", "", "", b"", _sample(fields)
        )
    document: dict[str, Any] = {}
    try:
        document = parse_json(raw, limits)
        schema.check("inference.request", document)
        request = InferenceRequest.from_wire(document)
        check_sizes(request, limits)
    except InvalidRequest as error:
        return _refuse(error, document, raw, source)
    return Entry(request, raw, InferenceRequest.unknown_fields(document))


def _sample(fields: Mapping[bytes, bytes]) -> bytes:
    return b" ".join(name[:64] for name in list(fields)[:16])[:SAMPLE_BYTES]


def _refuse(error: InvalidRequest, document: Mapping[str, Any], raw: bytes, source: str) -> Refusal:
    """The answer goes to the callback, or to the stream named after a usable id, or nowhere."""
    given_id, given_callback = document.get("request_id"), document.get("callback")
    request_id = given_id if isinstance(given_id, str) and is_request_id(given_id) else ""
    callback = ""
    if isinstance(given_callback, str) and given_callback:
        callback = "" if callback_problem(given_callback) else given_callback
    elif request_id:
        callback = keys.responses(request_id)
    model = document.get("model")
    final = InferenceResponse(
        request_id=request_id or "00000000-0000-0000-0000-000000000000",
        model=model[:200] if isinstance(model, str) else "",
        timestamp=iso_now(),
        source=source,
        status="rejected",
        error=str(error)[:1000],
        error_code=error.code,
    )
    wire = final.to_wire()
    try:
        payload = orjson.dumps(wire)
    except TypeError:  # surrogates in the model's name
        payload = orjson.dumps({**wire, "model": ""})
    return Refusal(str(error)[:1000], request_id, callback, payload, raw[:SAMPLE_BYTES])
