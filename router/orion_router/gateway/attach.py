"""`/v1/requests/{id}/events`: a request's events as an event stream, from where the client was."""

from __future__ import annotations

import re
from typing import Any

import orjson

from orion_contracts.errors import InvalidRequest, OrionError
from orion_contracts.limits import is_request_id
from orion_router.events import Final
from orion_router.gateway.body import ClientGone, Receive, Scope, Send, read_body
from orion_router.gateway.departure import ClientWatch
from orion_router.gateway.door import Door
from orion_router.gateway.faults import fault_of, own_error
from orion_router.gateway.headers import REQUEST_ID, send_fault, waiting
from orion_router.gateway.openai_out import KEEP_ALIVE, SSE
from orion_router.gateway.ports import Following

FINAL_SEQ = 999_999_999
MOST_BYTES = 1024
"""Of a body that nobody reads."""
_LAST = re.compile(r"(\d{1,9})-(\d{1,9})")


class Attach:
    """The endpoint. Leaving it changes nothing for the request."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One reader."""
        request_id = str(scope["path_params"]["request_id"])
        try:
            if not is_request_id(request_id):
                raise InvalidRequest("the request id in the path must be a UUID", "request_id")
            after = read_position(_header(scope, b"last-event-id"))
            with self._door.bodies.open(MOST_BYTES) as body:
                await read_body(receive, body, MOST_BYTES)
            with self._door.enter():
                if after[1] >= FINAL_SEQ:  # it has all there is: a reader told so stops asking
                    await send({"type": "http.response.start", "status": 204, "headers": []})
                    await send({"type": "http.response.body", "body": b""})
                    return
                follower = await self._door.desk.attach(request_id, after)
                try:
                    async with ClientWatch(receive):
                        await self._send_events(follower, request_id, send)
                finally:
                    follower.close()
        except ClientGone:
            return
        except OrionError as error:
            fault = fault_of(error)
            await send_fault(send, fault, own_error(fault), request_id)

    async def _send_events(self, follower: Following, request_id: str, send: Send) -> None:
        headers = [
            (b"content-type", SSE),
            (b"cache-control", b"no-store"),
            (REQUEST_ID, request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while True:
            events = await follower.next(self._door.hold_s)
            if events:
                out = b"".join(map(frame, events))
            else:
                out = waiting(await self._door.desk.standing(request_id), KEEP_ALIVE)
            ended = any(isinstance(event, Final) for event in events)
            await send({"type": "http.response.body", "body": out, "more_body": not ended})
            if ended:
                return


def frame(event: Any) -> bytes:
    """One event in the wire format, with the id that a reader comes back with."""
    if isinstance(event, Final):
        attempt = event.payload.get("attempt", 0)
        return b"id: %d-%d\nevent: final\ndata: %b\n\n" % (
            attempt, FINAL_SEQ, orjson.dumps(event.payload),
        )  # fmt: skip
    facts = {
        "residency": event.residency, "queue_ms": event.queue_ms, "node": event.node,
        "model": event.model, "fallback_from": event.fallback_from,
    }  # fmt: skip
    document = {
        "attempt": event.attempt,
        "seq": event.seq,
        "deltas": event.deltas,
        **{name: value for name, value in facts.items() if value is not None},
    }
    return b"id: %d-%d\nevent: chunk\ndata: %b\n\n" % (
        event.attempt, event.seq, orjson.dumps(document),
    )  # fmt: skip


def read_position(text: str) -> tuple[int, int]:
    """`attempt-seq` of the last event seen; (0, 0) without one. Raises InvalidRequest."""
    if not text:
        return (0, 0)
    match = _LAST.fullmatch(text)
    if match is None:
        raise InvalidRequest("Last-Event-ID: write attempt-seq, such as 1-12", "last-event-id")
    return int(match[1]), int(match[2])


def _header(scope: Scope, name: bytes) -> str:
    values = [value for key, value in scope["headers"] if key == name]
    return values[-1].decode("latin-1") if values else ""
