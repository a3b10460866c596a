"""What an entry on a stream of requests is, by its fields (pure): read the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from orion_contracts.spelling import whole

PAYLOAD = (b"payload", b"data")
SAMPLE_BYTES = 512
INLINE_BYTES = 32 * 1024
"""Larger entries are read in a thread: an event loop has answers to pass on."""


class Doorbell(NamedTuple):
    """The planner gave this board a request."""

    request_id: str
    token: str


class Direct(NamedTuple):
    """A producer put a whole request on this board's stream."""

    payload: bytes


class Garbage(NamedTuple):
    """Neither."""

    why: str
    sample: bytes


def payload_of(fields: Mapping[bytes, bytes]) -> bytes | None:
    """The request that the entry carries. An entry that has one is a request, whatever else it
    has: a stray `token` or `type` makes it nothing else."""
    return next((fields[name] for name in PAYLOAD if name in fields), None)


def is_cancel(fields: Mapping[bytes, bytes]) -> bool:
    """Whether the entry asks to cancel a request."""
    return fields.get(b"type") == b"cancel" and payload_of(fields) is None


def kind_of(fields: Mapping[bytes, bytes]) -> Doorbell | Direct | Garbage:
    """On a board's stream: `payload` (also `data`), or `id` and `token`."""
    if (payload := payload_of(fields)) is not None:
        return Direct(payload)
    request_id, token = fields.get(b"id"), fields.get(b"token")
    if request_id and token:
        try:
            return Doorbell(request_id.decode(), token.decode())
        except UnicodeDecodeError:
            pass
    given = b" ".join(name + b"=" + value[:64] for name, value in list(fields.items())[:8])
    return Garbage("an entry needs a field payload with a request as JSON", sample(given))


def sample(raw: bytes) -> bytes:
    """The beginning of what an entry holds, for a dead letter: text, whatever its bytes are."""
    return whole(raw, SAMPLE_BYTES)
