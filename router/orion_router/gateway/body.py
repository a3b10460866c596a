"""Reading a request's body: bounded in size and time, also when it comes in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import Limits, parse_json
from orion_router.gateway.faults import GatewayError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]

READ_TIMEOUT_S = 30.0


class ClientGone(Exception):
    """The client left before its request was complete: nobody is there to answer."""


async def read_body(receive: Receive, most_bytes: int, timeout_s: float = READ_TIMEOUT_S) -> bytes:
    """The whole body. Raises GatewayError (408, 413) or ClientGone."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part: bytes = message.get("body", b"")
                if not parts and not message.get("more_body"):
                    size = len(part)
                    parts.append(part)
                    break
                size += len(part)
                if size > most_bytes:
                    break
                parts.append(part)
                if not message.get("more_body"):
                    break
    except TimeoutError:
        raise GatewayError(
            408, f"the body did not arrive within {timeout_s:.0f} s", "body_timeout"
        ) from None
    if size > most_bytes:
        raise GatewayError(
            413, f"the body is larger than the {most_bytes} bytes allowed", "too_large"
        )
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_object(raw: bytes, limits: Limits) -> dict[str, Any]:
    """The JSON object of a body. Raises InvalidRequest in words close to Ollama's."""
    if not raw.strip():
        raise InvalidRequest("missing request body")
    return parse_json(raw, limits)
