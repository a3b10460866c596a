"""What a follower of a request sees: pieces of text, then one final (values, no I/O)."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import orjson


class Piece(NamedTuple):
    """Tokens that arrived together. A higher attempt begins again with seq 1."""

    attempt: int
    seq: int
    deltas: list[dict[str, Any]]
    residency: str | None = None
    queue_ms: int | None = None
    node: str | None = None


class Final(NamedTuple):
    """The one final: an InferenceResponse as on the wire."""

    payload: dict[str, Any]


Event = Piece | Final


def read_event(kind: bytes, payload: bytes) -> Event | None:
    """An event from a stream entry's fields; None for what is neither chunk nor final."""
    try:
        document: Any = orjson.loads(payload)
        if kind == b"final":
            return Final(cast(dict[str, Any], document))
        if kind == b"chunk":
            return Piece(
                int(document["attempt"]),
                int(document["seq"]),
                document["deltas"],
                document.get("residency"),
                document.get("queue_ms"),
                str(document.get("source", "")).rpartition("/")[2] or None,
            )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return None
