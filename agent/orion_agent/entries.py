"""What an entry on a board's stream says (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SAMPLE_BYTES = 512


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


def read_entry(fields: Mapping[bytes, bytes]) -> Doorbell | Direct | Garbage:
    """Tell by the fields' names: `id` and `token`, or `payload` (also `data`)."""
    for name in (b"payload", b"data"):
        if (payload := fields.get(name)) is not None:
            return Direct(payload)
    request_id, token = fields.get(b"id"), fields.get(b"token")
    if request_id and token:
        try:
            return Doorbell(request_id.decode(), token.decode())
        except UnicodeDecodeError:
            pass
    sample = b" ".join(name + b"=" + value[:64] for name, value in list(fields.items())[:8])
    return Garbage("an entry needs a field payload with a request as JSON", sample[:SAMPLE_BYTES])
