"""A producer's stream entry: a valid request, or a refusal that says why (pure but for a stamp)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from orion_contracts import schema
from orion_contracts.entry_kinds import is_cancel, payload_of, sample
from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import (
    DEFAULT_LIMITS,
    Limits,
    check_sizes,
    is_request_id,
    parse_json,
)
from orion_contracts.messages import InferenceRequest, InferenceResponse
from orion_contracts.spelling import text
from orion_contracts.stamp import iso_now
from orion_contracts.traces import traces


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
    raw = payload_of(fields)
    if raw is None:
        return Refusal(
            "the entry has no field named payload (or data)", "", "", b"", _sample(fields)
        )
    document: dict[str, Any] | None = None
    try:
        document = parse_json(raw, limits)
        schema.check("inference.request", document)
        request = InferenceRequest.from_wire(document)
        check_sizes(request, limits)
    except InvalidRequest as error:
        return refuse(error, raw, source, document)
    return Entry(request, raw, InferenceRequest.unknown_fields(document))


def read_cancel(fields: Mapping[bytes, bytes]) -> str | Refusal | None:
    """The id of the request that the entry asks to cancel; None: it is no such entry."""
    if not is_cancel(fields):
        return None
    request_id = text(fields.get(b"request_id", b""))
    if is_request_id(request_id):
        return request_id
    given = b" ".join(name[:64] + b"=" + value[:64] for name, value in list(fields.items())[:8])
    why = "a cancel needs a field request_id with a UUID like 123e4567-e89b-..."
    return Refusal(why, "", "", b"", sample(given))


def _sample(fields: Mapping[bytes, bytes]) -> bytes:
    return sample(b" ".join(name[:64] for name in list(fields)[:16]))


def refuse(
    error: InvalidRequest, raw: bytes, source: str, document: Mapping[str, Any] | None = None
) -> Refusal:
    """The refusal of an entry; `document` where its bytes could be parsed."""
    request_id, callback, model = traces(raw, document)
    final = InferenceResponse(
        request_id=request_id or "00000000-0000-0000-0000-000000000000",
        model=model,
        timestamp=iso_now(),
        source=source,
        status="rejected",
        error=str(error)[:1000],
        error_code=error.code,
    )
    return Refusal(
        str(error)[:1000], request_id, callback, orjson.dumps(final.to_wire()), sample(raw)
    )
