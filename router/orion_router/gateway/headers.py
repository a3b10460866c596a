"""The headers we read and the headers we send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orion_router.estimates import Standing
from orion_router.events import Piece
from orion_router.gateway.body import Scope, Send
from orion_router.gateway.faults import Fault

RequestHeaders = Mapping[bytes, bytes]
HeaderList = list[tuple[bytes, bytes]]

_READ: Final = frozenset(
    {
        b"x-orion-request-id",
        b"x-orion-priority",
        b"x-orion-deadline-ms",
        b"x-orion-session",
        b"x-orion-allow-fallback",
        b"x-orion-max-wait-ms",
        b"idempotency-key",
        b"authorization",
        b"content-length",
    }
)
TWOFOLD: Final = b""
"""No header has this name."""
NODE, REQUEST_ID = b"x-orion-node", b"x-orion-request-id"
QUEUE_POSITION, WAIT_MS = b"x-orion-queue-position", b"x-orion-estimated-wait-ms"
QUEUE_MS, ATTEMPTS, RESIDENCY = b"x-orion-queue-ms", b"x-orion-attempts", b"x-orion-residency"
FALLBACK = b"x-orion-fallback"


def read_headers(scope: Scope) -> RequestHeaders:
    """Those of the request's headers that mean something here; under TWOFOLD the name of one that
    says two different things."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _READ:
            if found.get(name, value) != value:
                found[TWOFOLD] = name
            found[name] = value
    return found


def announced(scope: Scope) -> bytes:
    """The content-length, empty where the request names none."""
    return read_headers(scope).get(b"content-length", b"")


def piece_facts(piece: Piece) -> HeaderList:
    """What the first piece of an answer tells about where it comes from."""
    facts: HeaderList = [(ATTEMPTS, b"%d" % piece.attempt)]
    if piece.node:
        facts.append((NODE, _safe(piece.node)))
    if piece.queue_ms is not None:
        facts.append((QUEUE_MS, b"%d" % piece.queue_ms))
    if piece.residency:
        facts.append((RESIDENCY, _safe(piece.residency)))
    return facts + _fallback(piece.fallback_from, piece.model)


def final_facts(final: Mapping[str, Any]) -> HeaderList:
    """The same of a final."""
    facts: HeaderList = []
    for header, name in (
        (ATTEMPTS, "attempt"),
        (NODE, "node"),
        (QUEUE_MS, "queue_ms"),
        (RESIDENCY, "residency"),
    ):
        if (value := final.get(name)) is not None:
            facts.append((header, _safe(str(value))))
    return facts + _fallback(final.get("fallback_from"), final.get("model"))


def _fallback(asked: str | None, used: str | None) -> HeaderList:
    """Another model answers than the one that was asked for."""
    return [(FALLBACK, _safe(f"{asked}->{used}"))] if asked else []


def standing_facts(standing: Standing | None) -> HeaderList:
    """Where a request stands whose headers leave while it waits."""
    if standing is None:
        return []
    facts: HeaderList = [(QUEUE_POSITION, b"%d" % standing.position)]
    if standing.start_s is not None:
        facts.append((WAIT_MS, b"%d" % round(standing.start_s * 1000)))
    return facts


def waiting(standing: Standing | None, keep_alive: bytes) -> bytes:
    """What is said into a stream that has nothing to say: where the protocol has comments, how
    long the request is expected to wait."""
    if standing is None or not keep_alive.startswith(b":"):
        return keep_alive
    about = b"" if standing.start_s is None else b", about %d s" % round(standing.start_s)
    return b": queued, position %d%b\n\n" % (standing.position, about)


def comment(facts: HeaderList) -> bytes:
    """The facts as a comment in an event stream, for headers that had to leave early."""
    return b": " + b" ".join(name + b"=" + value for name, value in facts) + b"\n\n"


def _safe(text: str) -> bytes:
    return text.encode("ascii", "replace").translate(None, b"\r\n\0")[:256]


async def send_whole(
    send: Send, status: int, content_type: bytes, body: bytes, more: HeaderList
) -> None:
    """One complete response."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_fault(
    send: Send, fault: Fault, body: bytes, request_id: str, more: HeaderList | None = None
) -> None:
    """An error as one complete response. After a body that we did not read, the line is closed."""
    headers: HeaderList = [*(more or ())]
    if request_id:
        headers.append((REQUEST_ID, request_id.encode()))
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % fault.retry_after_s))
    if fault.code in ("too_large", "body_timeout"):
        headers.append((b"connection", b"close"))
    await send_whole(send, fault.status, b"application/json; charset=utf-8", body, headers)
