"""Which request this is: its id, its mark, and whether it outlives its client (pure, but for the
random id of requests that bring none)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from orion_contracts.errors import InvalidRequest
from orion_contracts.fingerprint import fingerprint
from orion_contracts.limits import is_request_id
from orion_contracts.messages import Priority
from orion_router.gateway.headers import TWOFOLD, RequestHeaders

NAMESPACE = uuid.UUID("6f52a9c8-1f0e-5c1d-9a55-0f4d6d6b1b11")
MOST_KEY_CHARS = 256
MOST_DEADLINE_MS = 86_400_000


class Identity(NamedTuple):
    """`durable`: the client gave a name to its request, so the work goes on when it leaves."""

    request_id: str
    durable: bool
    source: str


def identify(headers: RequestHeaders, path: str) -> Identity:
    """By the header x-orion-request-id, else by Idempotency-Key, else a new one. Raises
    InvalidRequest."""
    check_clear(headers)
    caller = headers.get(b"authorization", b"")
    source = "gateway"
    if caller:
        source = "gateway/" + hashlib.blake2b(caller, digest_size=4).hexdigest()
    if given := headers.get(b"x-orion-request-id"):
        text = given.decode("latin-1")
        if not is_request_id(text):
            raise InvalidRequest("x-orion-request-id: must be a UUID", "x-orion-request-id")
        return Identity(text, True, source)
    if key := headers.get(b"idempotency-key"):
        if len(key) > MOST_KEY_CHARS:
            raise InvalidRequest(
                f"Idempotency-Key: at most {MOST_KEY_CHARS} characters", "idempotency-key"
            )
        whose = hashlib.blake2b(caller, digest_size=16).hexdigest() if caller else "anonymous"
        name = f"{whose}\n{path}\n{key.decode('latin-1')}"
        return Identity(str(uuid.uuid5(NAMESPACE, name)), True, source)
    return Identity(str(uuid.uuid4()), False, source)


def check_clear(headers: RequestHeaders) -> None:
    """Raises InvalidRequest for a header that says two things: neither is what the client wants."""
    if twofold := headers.get(TWOFOLD):
        name = twofold.decode("latin-1")
        raise InvalidRequest(f"{name}: sent twice, with different values; send one", name)


def mark(path: str, document: dict[str, Any]) -> str:
    """Tells two bodies under one id apart; the order of keys and white space mean nothing."""
    body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return fingerprint(path.encode() + b"\n" + body)


def seed_of(request_id: str) -> int:
    """The seed stamped on a request without one: the same whenever the id is."""
    return int(request_id[:8], 16) & 0x7FFFFFFF


def priority(headers: RequestHeaders) -> Priority:
    """`x-orion-priority`: interactive (the default) or batch."""
    match headers.get(b"x-orion-priority", b"interactive"):
        case b"interactive":
            return "interactive"
        case b"batch":
            return "batch"
        case _:
            raise InvalidRequest("x-orion-priority: use interactive or batch", "x-orion-priority")


def deadline_ms(headers: RequestHeaders) -> int | None:
    """`x-orion-deadline-ms`: from acceptance on."""
    return _whole_ms(headers, "x-orion-deadline-ms")


def max_wait_ms(headers: RequestHeaders) -> int | None:
    """`x-orion-max-wait-ms`: for how long it may be expected to wait for a board."""
    return _whole_ms(headers, "x-orion-max-wait-ms")


def _whole_ms(headers: RequestHeaders, name: str) -> int | None:
    given = headers.get(name.encode())
    if given is None:
        return None
    if not given.isdigit() or len(given) > 9 or not 1 <= int(given) <= MOST_DEADLINE_MS:
        raise InvalidRequest(f"{name}: a whole number from 1 to {MOST_DEADLINE_MS}", name)
    return int(given)


def allow_fallback(headers: RequestHeaders) -> bool:
    """`x-orion-allow-fallback`: whether a smaller model may answer; false without it."""
    match headers.get(b"x-orion-allow-fallback", b"false"):
        case b"true":
            return True
        case b"false":
            return False
        case _:
            name = "x-orion-allow-fallback"
            raise InvalidRequest(f"{name}: use true or false", name)


def session(headers: RequestHeaders) -> str:
    """`x-orion-session`: which conversation this belongs to."""
    return headers.get(b"x-orion-session", b"").decode("latin-1")[:256]


WISHES: Final[Mapping[str, tuple[bytes, Callable[[RequestHeaders], Any]]]] = {
    "priority": (b"x-orion-priority", priority),
    "deadline_ms": (b"x-orion-deadline-ms", deadline_ms),
    "session": (b"x-orion-session", session),
    "allow_fallback": (b"x-orion-allow-fallback", allow_fallback),
    "max_wait_ms": (b"x-orion-max-wait-ms", max_wait_ms),
}
"""Fields of a request that a header may set."""


def wishes(headers: RequestHeaders) -> dict[str, Any]:
    """What the headers ask for, as fields of a document. Raises InvalidRequest."""
    check_clear(headers)
    return {name: read(headers) for name, (header, read) in WISHES.items() if header in headers}
