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
    model: str | None = None
    """Where it is not the one that was asked for; so is the next one."""
    fallback_from: str | None = None


class Final(NamedTuple):
    """The one final: an InferenceResponse as on the wire."""

    payload: dict[str, Any]


Event = Piece | Final


def read_event(kind: bytes, payload: bytes) -> Event | None:
    """An event from a stream entry's fields; None for what is neither chunk nor final.

    Outsiders may add entries to a request's own stream: what has another shape is passed over.
    """
    try:
        document: Any = orjson.loads(payload)
        if kind == b"final" and isinstance(document, dict):
            return Final(cast(dict[str, Any], document))
        if kind == b"chunk":
            return Piece(
                int(document["attempt"]),
                int(document["seq"]),
                _deltas(document["deltas"]),
                document.get("residency"),
                document.get("queue_ms"),
                str(document.get("source", "")).rpartition("/")[2] or None,
                document.get("model"),
                document.get("fallback_from"),
            )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
    return None


def _deltas(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(
        isinstance(each, dict) for each in cast(list[object], value)
    ):
        raise TypeError("deltas is a list of objects")
    return cast(list[dict[str, Any]], value)
