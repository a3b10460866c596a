"""Reading a request's body: bounded in size and time, also when it comes in chunks."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from contextlib import contextmanager
from typing import Any

from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import Limits, parse_json
from orion_router.gateway.bodies import LARGE_BYTES, Body, too_large
from orion_router.gateway.faults import GatewayError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]

READ_TIMEOUT_S = 30.0


class ClientGone(Exception):
    """The client left before its request was complete: nobody is there to answer."""


async def read_body(
    receive: Receive, body: Body, most_bytes: int, timeout_s: float = READ_TIMEOUT_S
) -> None:
    """Fill `body`. Raises GatewayError (408, 413, 503) or ClientGone."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part: bytes = message.get("body", b"")
                if body.size + len(part) > most_bytes:
                    raise too_large(most_bytes)
                body.add(part)
                if not message.get("more_body"):
                    return
    except TimeoutError:
        raise GatewayError(
            408, f"the body did not arrive within {timeout_s:.0f} s", "body_timeout"
        ) from None


def read_object(raw: bytes, limits: Limits) -> dict[str, Any]:
    """The JSON object of a body. Raises InvalidRequest in words close to Ollama's."""
    if not raw or raw.isspace():
        raise InvalidRequest("missing request body")
    if len(raw) <= LARGE_BYTES:
        return parse_json(raw, limits)
    with _uncollected():
        return parse_json(raw, limits)


@contextmanager
def _uncollected() -> Generator[None]:
    """No garbage is looked for while many objects are made that are none: each search would walk
    through all of them, with everything else standing still. For one thread at a time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
