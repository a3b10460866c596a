"""`/v1/requests`: submit, look at, cancel and attach to requests by their id."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from orion_contracts import keys, schema
from orion_contracts.errors import InvalidRequest
from orion_contracts.limits import check_sizes
from orion_contracts.messages import InferenceRequest
from orion_contracts.stamp import VERSION, iso_now
from orion_router.events import Final
from orion_router.gateway import identity
from orion_router.gateway.bodies import Body
from orion_router.gateway.body import ClientGone, read_body, read_object
from orion_router.gateway.departure import ClientWatch
from orion_router.gateway.door import Door
from orion_router.gateway.faults import GatewayError
from orion_router.gateway.headers import announced, read_headers
from orion_router.gateway.options import check_context
from orion_router.gateway.ports import Following, View
from orion_router.gateway.urls import read_id, read_limit, read_wait_s


def json_response(
    document: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON response."""
    return Response(orjson.dumps(document), status, headers, "application/json; charset=utf-8")


class RequestsApi:
    """The handlers; errors are raised and become answers in the app."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def submit(self, request: Request) -> Response:
        """POST: accept any producer's request; `?wait=SECONDS` waits for its final."""
        wait_s = read_wait_s(request)
        door = self._door
        door.check()
        try:
            with door.open_body(announced(request.scope)) as body:
                await read_body(request.receive, body, door.limits.body_bytes)
                with door.enter():
                    request_id, follower = await self._submit(request, body, wait_s > 0)
                    body.release()  # before anybody waits for the answer
                    watch, final = ClientWatch(request.receive), None
                    try:
                        if wait_s > 0:
                            async with watch:  # who left takes no place; the request goes on
                                final = await _wait(follower, wait_s)
                    finally:
                        follower.close()
                    if watch.left:
                        raise ClientGone
        except ClientGone:
            return Response(status_code=499)
        headers = {"location": f"/v1/requests/{request_id}", "x-orion-request-id": request_id}
        if final is not None:
            return json_response(
                {"request_id": request_id, "state": _state(final), "final": final},
                headers=headers,
            )
        return json_response({"request_id": request_id, "state": "ACCEPTED"}, 202, headers)

    async def _submit(self, request: Request, body: Body, follow: bool) -> tuple[str, Following]:
        """Translate and admit."""
        door = self._door
        asked, mark = await door.read(body, partial(self._read, request))
        door.farewells.forgive(asked.request_id)
        follower = await door.desk.submit(asked, mark=mark, follow=follow)
        return asked.request_id, follower

    def _read(self, request: Request, body: Body) -> tuple[InferenceRequest, str]:
        """What every message must carry is filled in where it was left out."""
        given = read_object(body.take(), self._door.limits)
        headers = read_headers(request.scope)
        who = identity.identify(headers, request.url.path)
        mark = identity.mark(request.url.path, given)
        ours = {"version": VERSION, "timestamp": iso_now(), "source": who.source}
        document = {**ours, **identity.wishes(headers), **given}  # the body's own word counts
        if who.durable or "request_id" not in given:
            document["request_id"] = who.request_id
        schema.check("inference.request", document)
        asked = InferenceRequest.from_wire(document)
        check_sizes(asked, self._door.limits)
        check_context(asked.model, asked.options, self._door.desk.config)
        if asked.callback not in ("", keys.responses(asked.request_id)):
            raise InvalidRequest(
                "callback: only who may write to the store chooses a stream; leave it out over "
                "HTTP and ask for the answer by its id", "callback",
            )  # fmt: skip
        return asked, mark

    async def get(self, request: Request) -> Response:
        """GET one."""
        view = await self._door.desk.view(read_id(request))
        if view is None:
            raise unknown(request)
        return json_response(describe(view))

    async def listing(self, request: Request) -> Response:
        """GET all that are queued or running, `?limit=`."""
        views = await self._door.desk.requests(read_limit(request))
        return json_response({"requests": [describe(view) for view in views]})

    async def queue(self, request: Request) -> Response:
        """GET what waits for a board, in its order, `?limit=`."""
        queue = await self._door.desk.queue(read_limit(request))
        first = [{**describe(each.view), "priority": each.priority} for each in queue.first]
        return json_response({"depth": queue.depth, "requests": first})

    async def cancel(self, request: Request) -> Response:
        """DELETE, or POST to …/cancel: 200 when it has ended, 202 while its board must hear."""
        state = await self._door.desk.cancel(read_id(request))
        if state == "UNKNOWN":
            raise unknown(request)
        body = {"request_id": read_id(request), "state": state}
        return json_response(body, 202 if state == "PENDING" else 200)


async def _wait(follower: Following, wait_s: float) -> Mapping[str, Any] | None:
    until_s = time.monotonic() + wait_s
    while (left_s := until_s - time.monotonic()) > 0:
        for event in await follower.next(left_s):
            if isinstance(event, Final):
                return event.payload
    return None


def describe(view: View) -> dict[str, Any]:
    """A record as JSON; what is not known is left out."""
    history = [each for each in view.history.split("; ") if each]
    document: dict[str, Any] = {
        "request_id": view.request_id,
        "state": view.state,
        "model": view.model,
        "attempt": view.attempt,
        "node": view.node or None,
        "accepted_ms": view.accepted_ms,
        "queue_position": view.queue_position,
        "planned_node": view.planned_node or None,
        "estimated_start_s": _tenths(view.estimated_start_s),
        "history": history,
        "final": view.final,
    }
    return {name: value for name, value in document.items() if value is not None}


def unknown(request: Request) -> GatewayError:
    """No such request, or its record is older than a day."""
    return GatewayError(404, f"no request {read_id(request)} is known", "request_not_found")


def _tenths(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _state(final: Mapping[str, Any]) -> str:
    return str(final.get("status", "completed")).upper()
